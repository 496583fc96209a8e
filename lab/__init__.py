"""The embedded cloud: a real OpenStack control plane on simulated hardware."""
