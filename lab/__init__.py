"""What do we try it on? The embedded cloud: real OpenStack services on simulated hardware."""
