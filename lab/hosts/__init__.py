"""Emulated machines: a real userland in namespaces, on simulated hardware."""
