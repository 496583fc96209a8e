"""The control plane: real OpenStack services as unprivileged processes on loopback."""
