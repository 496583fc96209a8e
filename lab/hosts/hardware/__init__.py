"""What a machine is made of: its declaration, and what sysfs, PCI and the firmware show of it."""
