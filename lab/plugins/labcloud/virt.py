"""Hypervisor driver of an emulated compute host. Full passthrough comes from the host's own synthetic /sys."""

from __future__ import annotations

import nova.conf
from nova.virt import fake

CONF = nova.conf.CONF


class LabDriver(fake.FakeDriverWithoutFakeNodes):
    """Placeholder inventory until the machines are there."""
