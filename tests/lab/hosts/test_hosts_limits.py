"""What the probes of a host's limits read on a machine that has them."""

from __future__ import annotations

from collections.abc import Callable

from lab_machines import Machines

from access.host import CommandOutput
from probes import clock, cpu_vendor, memory_locking, module_parameters, numa_nodes, pci_devices


class RootOf:
    """A machine of the lab as probes see a host."""

    def __init__(self, machines: Machines, name: str) -> None:
        self.machines = machines
        self.name = name

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        """As root, whoever asks."""
        done = self.machines.client.run(self.name, ["/bin/bash", "-c", command], timeout_s=timeout_s)
        return CommandOutput(self.name, command, done.returncode, done.stdout, done.stderr, 0.1)


def test_a_daemon_without_the_right_cannot_raise_its_limit(machines: Machines, host: Callable[..., str]) -> None:
    """The limit alone says nothing: libvirtd raises it for each QEMU where it may."""
    limited = memory_locking.read(RootOf(machines, host(libvirtd={"memlock_kib": 64, "lacks": ["sys_resource"]})))
    free = memory_locking.read(RootOf(machines, host(libvirtd={"memlock_kib": 64})))

    assert limited is not None
    assert free is not None
    assert (limited.daemon, limited.limit_bytes, limited.can_raise) == ("libvirtd", 65536, False)
    assert (free.limit_bytes, free.can_raise) == (65536, True)


def test_a_lowered_limit_of_mappings_is_read_before_the_module_is_loaded(
    machines: Machines, host: Callable[..., str]
) -> None:
    """modprobe's configuration says with what it will be loaded; without one the kernel's own counts."""
    name = host()
    root = RootOf(machines, name)
    assert module_parameters.dma_entry_limit(root) is None
    machines.sh(name, "echo 'options vfio_iommu_type1 dma_entry_limit=512' >/etc/modprobe.d/vfio.conf")
    assert module_parameters.dma_entry_limit(root) == 512


def test_processors_nodes_and_time_are_those_of_the_machine(machines: Machines, compute: str) -> None:
    """Two sockets of 28 logical processors, Intel, with a clock."""
    root = RootOf(machines, compute)

    assert [node.cpus for node in numa_nodes.read(root)] == [28, 28]
    assert cpu_vendor.read(root) == "intel"
    assert clock.read(root).year > 2025


def test_virtual_functions_are_seen_as_parts_of_their_card(machines: Machines, host: Callable[..., str]) -> None:
    """lspci shows them as cards; sysfs says whose they are."""
    name = host(gpus=[{"model": "H100-PCIE-80GB", "address": "0000:04:00.0", "numa_node": 0, "vfs": 2}])
    found = [device for device in pci_devices.read(RootOf(machines, name)) if device.is_nvidia_gpu]

    assert [device.physical_function for device in found] == [None, "0000:04:00.0", "0000:04:00.0"]
