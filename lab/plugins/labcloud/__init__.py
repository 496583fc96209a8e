"""What the lab plugs into OpenStack: message bus, network mechanism, hypervisor, filters of older releases."""
