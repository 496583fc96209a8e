"""Hardware that a host may have: virtual functions, domains of five digits, module parameters, libvirtd's limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.hosts import contents
from lab.hosts.boot.boot_loader import Kernel
from lab.hosts.boot.drivers import module_options
from lab.hosts.hardware import declaration, sysfs
from lab.hosts.layout import MachineDir
from lab.paths import LabPaths
from probes.pci_devices import parse

HOST = {
    "name": "compute-0",
    "role": "Compute",
    "cpu": {"vendor": "intel", "model": "Xeon", "sockets": 2, "cores_per_socket": 4, "threads": 1},
    "memory_mb": 4096,
    "firmware": {"type": "bios", "iommu": True},
    "os": {"distribution": "rhel", "version": "9.2", "kernel": "5.14.0", "bls": True},
}


def machine(**gpu: Any) -> dict[str, Any]:
    """A host with one H100."""
    card = {"model": "H100-PCIE-80GB", "address": "0000:04:00.0", "numa_node": 0, **gpu}
    return declaration.host_machine({**HOST, "gpus": [card]}, "127.0.0.1")


def test_virtual_functions_that_are_switched_on_are_devices_of_their_own(tmp_path: Path) -> None:
    """Each has an address and an IOMMU group, and leads to its card."""
    made = machine(vfs=2)
    functions = sysfs.functions_of(made, True, {})
    sysfs.build(tmp_path, made, functions)

    card, first, second = (item for item in functions if item.vendor == sysfs.NVIDIA)
    assert (card.vfs, first.address, second.address) == (2, "0000:04:00.4", "0000:04:00.5")
    assert len({card.group, first.group, second.group}) == 3
    link = tmp_path / "bus/pci/devices/0000:04:00.4/physfn"
    assert link.resolve().name == "0000:04:00.0"
    assert (tmp_path / "bus/pci/devices/0000:04:00.0/sriov_numvfs").read_text() == "2\n"
    assert not (tmp_path / "bus/pci/devices/0000:04:00.4/sriov_totalvfs").exists()


def test_a_card_without_the_capability_has_no_functions() -> None:
    """P100 has none to switch on."""
    functions = sysfs.functions_of(machine(model="P100-PCIE-16GB", vfs=2), True, {})

    assert len([item for item in functions if item.vendor == sysfs.NVIDIA]) == 1


def test_a_domain_of_five_digits_is_a_place_like_any_other(tmp_path: Path) -> None:
    """Intel's VMD numbers its domains from 10000 on."""
    made = machine(address="10000:01:00.0")
    declaration.check_declaration(
        {
            "hosts": [
                {**HOST, "gpus": [{"model": "H100-PCIE-80GB", "address": "10000:01:00.0", "numa_node": 0}]},
                {**HOST, "name": "u", "role": "Undercloud"},
                {**HOST, "name": "c", "role": "Controller"},
            ]
        }
    )
    sysfs.build(tmp_path, made, sysfs.functions_of(made, True, {}))

    assert (tmp_path / "bus/pci/devices/10000:01:00.0/vendor").read_text() == "0x10de\n"
    assert "10000:00:02.0" in str((tmp_path / "bus/pci/devices/10000:01:00.0").resolve())
    row = "10000:01:00.0 0x10de 0x2331 0x030200 - 1 0 16 - - - - - ffffffff\nend\n"
    assert parse(row)[0].address.domain == 0x10000


@pytest.mark.parametrize(
    ("modprobe", "arguments", "expected"),
    [
        ("", "quiet", "65535"),
        ("options vfio_iommu_type1 dma_entry_limit=512\n", "quiet", "512"),
        ("# options vfio_iommu_type1 dma_entry_limit=512\n", "quiet", "65535"),
        ("options vfio_iommu_type1 dma_entry_limit=512\n", "vfio_iommu_type1.dma_entry_limit=9", "9"),
    ],
)
def test_a_module_has_the_parameters_that_it_was_loaded_with(
    tmp_path: Path, modprobe: str, arguments: str, expected: str
) -> None:
    """From modprobe.d, and over it from the kernel's arguments."""
    directory = MachineDir(LabPaths(tmp_path, "x"), "compute-0")
    file = directory.path("/etc/modprobe.d/vfio.conf")
    file.parent.mkdir(parents=True)
    file.write_text(modprobe)
    options = module_options(directory, Kernel("5.14.0", arguments))

    sysfs.write_modules(tmp_path / "sys", "vfio_iommu_type1 22440 0 - Live 0x0\n", options)

    parameter = tmp_path / "sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
    assert parameter.read_text().strip() == expected


def test_libvirts_daemon_has_the_limits_and_rights_that_are_declared() -> None:
    """Without a declaration it runs as it is."""
    assert contents.libvirtd({}).startswith("setsid")
    limited = contents.libvirtd({"libvirtd": {"memlock_kib": 64, "lacks": ["sys_resource"]}})
    assert "prlimit --memlock=65536 setpriv --bounding-set=-sys_resource" in limited
