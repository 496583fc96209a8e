"""What do you have? The cloud file: its sections, how it is loaded, and its mistakes."""
