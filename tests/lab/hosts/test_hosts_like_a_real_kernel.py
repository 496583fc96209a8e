"""What a real kernel showed in the metal tier, the emulated hosts show as well (docs/truth.md)."""

from __future__ import annotations

from collections.abc import Callable

from lab_machines import Machines

ARGUMENTS = "intel_iommu=on iommu=pt"
UBUNTU = {"distribution": "ubuntu", "version": "24.04", "kernel": "6.8.0-45-generic", "arguments": ARGUMENTS}


def test_functions_of_one_device_share_their_group(machines: Machines, host: Callable[..., str]) -> None:
    """The chipset's functions have no ACS between them; its host bridge has a group of its own."""
    machine = host(os=UBUNTU)
    text = machines.sh(
        machine, "cd /sys/bus/pci/devices; for d in 00.0 1f.0 1f.2; do readlink 0000:00:$d/iommu_group; done"
    )
    groups = [line.rpartition("/")[2] for line in text.split()]

    assert groups[1] == groups[2] != groups[0]


def test_the_kernel_tells_the_default_domain(machines: Machines, host: Callable[..., str]) -> None:
    """Kernels since 5.8 say what the host's own DMA goes through."""
    log = machines.sh(host(os=UBUNTU), "dmesg")

    assert "iommu: Default domain type: Passthrough (set via kernel command line)" in log
