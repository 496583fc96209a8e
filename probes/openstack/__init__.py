"""What the OpenStack APIs say, as data."""
