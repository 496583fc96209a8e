"""The OpenStack projects that a lab runs: one file each, found by `lab.services.registry`."""
