"""What people read: renders result records, touches no cloud."""
