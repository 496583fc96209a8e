"""PCI devices, their drivers and IOMMU groups, from sysfs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.host import Host, output_of
from provisioning.errors import ParseError

COMMAND = r"""
for d in /sys/bus/pci/devices/*; do
  [ -e "$d" ] || continue
  driver=-; [ -L "$d/driver" ] && driver=$(basename "$(readlink "$d/driver")")
  group=-; [ -L "$d/iommu_group" ] && group=$(basename "$(readlink "$d/iommu_group")")
  vfs=-; [ -e "$d/sriov_totalvfs" ] && vfs=$(cat "$d/sriov_totalvfs")
  echo "$(basename "$d") $(cat "$d/vendor") $(cat "$d/device") $(cat "$d/class") $driver $group $(cat "$d/numa_node") $vfs"
done; echo end
"""
ROW = re.compile(
    r"([0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) 0x([0-9a-f]{4}) 0x([0-9a-f]{4}) 0x([0-9a-f]{6}) (\S+) (\d+|-) (-?\d+) (\d+|-)"
)
BRIDGE_CLASS = "0604"
GPU_CLASSES = ("0300", "0302")
VFIO_DRIVERS = ("vfio-pci", "pcieport", "pci-stub", None)
"""Drivers that a member of a viable IOMMU group may have (https://docs.kernel.org/driver-api/vfio.html)."""


@dataclass(frozen=True)
class PciDevice:
    """One PCI function."""

    address: str
    """Domain, bus, device, function, e.g. 0000:04:00.0"""
    vendor_id: str
    product_id: str
    class_code: str
    """Six hexadecimal digits."""
    driver: str | None
    iommu_group: int | None
    numa_node: int | None
    total_vfs: int | None
    """None when the device has no SR-IOV capability."""

    @property
    def is_nvidia_gpu(self) -> bool:
        """Whether this is a GPU of NVIDIA, not its audio function or a bridge."""
        return self.vendor_id == "10de" and self.class_code[:4] in GPU_CLASSES


def parse(text: str) -> tuple[PciDevice, ...]:
    """Read the rows of COMMAND.

    Raises:
        ParseError: a row of another shape, a device twice, or a cut-off answer.
    """
    lines = text.splitlines()
    if not lines or lines[-1] != "end":
        raise ParseError("sysfs PCI devices", "the answer is cut off", line=lines[-1] if lines else "")
    found: dict[str, PciDevice] = {}
    for number, line in enumerate(lines[:-1], start=1):
        match = ROW.fullmatch(line)
        if match is None or match[1] in found:
            reason = "not a device" if match is None else "a device twice"
            raise ParseError("sysfs PCI devices", reason, line=line, line_number=number)
        address, vendor, product, class_code, driver, group, node, vfs = match.groups()
        found[address] = PciDevice(
            address, vendor, product, class_code, None if driver == "-" else driver,
            None if group == "-" else int(group), None if int(node) < 0 else int(node), None if vfs == "-" else int(vfs),
        )  # fmt: skip
    return tuple(found.values())


def read(host: Host) -> tuple[PciDevice, ...]:
    """All PCI devices of `host`."""
    return parse(output_of(host, COMMAND).stdout)
