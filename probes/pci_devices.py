"""PCI devices, their drivers, links and IOMMU groups, from sysfs.

https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-bus-pci
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.pci_address import PciAddress
from probes.reading import lines_of
from probes.references import NVIDIA_VENDOR_ID

TOOL = "sysfs PCI devices"
COMMAND = r"""
show() {
  if read -r one two three 2>/dev/null <"$1"; then row="$row $one${two:+_$two}${three:+_$three}"; else row="$row -"; fi
}
link() { if cd -P "$1" 2>/dev/null; then row="$row ${PWD##*/}"; else row="$row -"; fi; }
for d in /sys/bus/pci/devices/*; do
  [ -e "$d" ] || continue
  row=${d##*/}
  show "$d/vendor"; show "$d/device"; show "$d/class"; link "$d/driver"; link "$d/iommu_group"; show "$d/numa_node"
  show "$d/sriov_totalvfs"; link "$d/physfn"; show "$d/current_link_speed"; show "$d/max_link_speed"
  show "$d/current_link_width"; show "$d/max_link_width"
  read -r class <"$d/class"
  case $class in
    0x03*) first=$(od -An -tx1 -N4 "$d/config" 2>/dev/null | tr -d ' ') ;;
    *) first= ;;
  esac
  echo "$row ${first:--}"
done; echo end
"""
"""One row a function, each value without blanks, - where there is none.

A server has hundreds of functions: only the configuration space of graphics cards is read by a process of its own.
"""
SPEED = r"([0-9]{1,3}(?:\.[0-9])?_GT/s(?:_PCIe)?|Unknown(?:_speed)?|-)"
ROW = re.compile(
    r"([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) 0x([0-9a-f]{4}) 0x([0-9a-f]{4}) 0x([0-9a-f]{6}) (\S{1,80}) "
    r"([0-9]{1,6}|-) (-?[0-9]{1,4}) ([0-9]{1,5}|-) (\S{1,20}) "
    rf"{SPEED} {SPEED} ([0-9]{{1,3}}|-) ([0-9]{{1,3}}|-) ([0-9a-f]{{8}}|-)"
)
NO_LINK_WIDTHS = (0, 63, 255)
"""A link that is down has width 0; a card that does not answer gives all ones."""
BRIDGE_CLASS = "0604"
GPU_CLASSES = ("0300", "0302")
HARMLESS_DRIVERS = ("pcieport", "pci-stub", None)
"""Drivers beside VFIO's own that a member of a viable IOMMU group may have
(https://docs.kernel.org/driver-api/vfio.html)."""
VFIO = re.compile(r"(?:^|[-_])vfio(?:$|[-_])")
"""In the name of every VFIO driver: vfio-pci, and what vendors build on its core, as nvgrace-gpu-vfio-pci."""
QUESTIONS = (Question(COMMAND),)


@dataclass(frozen=True)
class PciDevice:
    """One PCI function."""

    address: PciAddress
    vendor_id: str
    product_id: str
    class_code: str
    """Six hexadecimal digits."""
    driver: str | None
    iommu_group: int | None
    numa_node: int | None
    total_vfs: int | None
    """None if the device has no SR-IOV capability."""
    physical_function: PciAddress | None = None
    """Of a virtual function; None for others."""
    link_speed_gt_per_s: float | None = None
    """As it is now: an idle link is slower. None without a link, or when it is down."""
    max_link_speed_gt_per_s: float | None = None
    link_width: int | None = None
    """Lanes as they are now; None without a link, or when it is down."""
    max_link_width: int | None = None
    is_answering: bool | None = None
    """Whether its configuration space reads other than all ones; None if it was not read: only graphics cards are."""

    @property
    def is_of_nvidia(self) -> bool:
        """Whether this is a function of NVIDIA's: a GPU, its audio or USB controller, an NVSwitch, a bridge."""
        return self.vendor_id == NVIDIA_VENDOR_ID

    @property
    def is_nvidia_gpu(self) -> bool:
        """Whether this is a GPU of NVIDIA, not its audio function or a bridge."""
        return self.is_of_nvidia and self.class_code[:4] in GPU_CLASSES

    @property
    def is_on_vfio(self) -> bool:
        """Whether it can be given to a guest now: vfio-pci has it, or a variant of it for devices of its kind."""
        return self.driver is not None and VFIO.search(self.driver) is not None

    @property
    def is_viable(self) -> bool:
        """Whether other members of its IOMMU group can be given to a guest while it has this driver."""
        return self.is_on_vfio or self.driver in HARMLESS_DRIVERS

    @property
    def has_full_width(self) -> bool | None:
        """Whether the link has all lanes that the device has; None without a link. Lanes stay while idle."""
        if self.link_width is None or self.max_link_width is None:
            return None
        return self.link_width >= self.max_link_width


def parse(text: str) -> tuple[PciDevice, ...]:
    """Read the rows of COMMAND.

    Raises:
        ParseError: a row of another shape, a device twice, or a cut-off answer.
    """
    lines = lines_of(TOOL, text)
    if lines[-1] != "end":
        raise ParseError(TOOL, "the answer is cut off", line=lines[-1], line_number=len(lines))
    found: dict[str, PciDevice] = {}
    for number, line in enumerate(lines[:-1], start=1):
        match = ROW.fullmatch(line)
        if match is None or match[1] in found:
            reason = "not a device" if match is None else "a device twice"
            raise ParseError(TOOL, reason, line=line, line_number=number)
        found[match[1]] = _device(match)
    return tuple(found.values())


def _device(match: re.Match[str]) -> PciDevice:
    address, vendor, product, class_code, driver, group, node, vfs, physical, speed, most, width, widest, first = (
        None if value == "-" else value for value in match.groups()
    )
    return PciDevice(
        PciAddress(str(address)),
        str(vendor),
        str(product),
        str(class_code),
        driver,
        _whole(group),
        None if node is None or int(node) < 0 else int(node),
        _whole(vfs),
        PciAddress(physical) if physical else None,
        _speed(speed),
        _speed(most),
        _lanes(width),
        _lanes(widest),
        None if first is None else set(first) != {"f"},
    )


def _whole(value: str | None) -> int | None:
    return None if value is None else int(value)


def _lanes(value: str | None) -> int | None:
    return None if value is None or int(value) in NO_LINK_WIDTHS else int(value)


def _speed(value: str | None) -> float | None:
    return None if value is None or value.startswith("Unknown") else float(value.partition("_")[0])


def read(host: Host) -> tuple[PciDevice, ...]:
    """All PCI devices of `host`."""
    return parse(output_of(host, COMMAND, timeout_s=120).stdout)
