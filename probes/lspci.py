"""lspci: PCI functions with names and ids, their drivers (-k) and details (-v, -vv)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from access.errors import ParseError, ToolFailure
from access.host import Host, output_of
from probes.pci_address import PciAddress
from probes.reading import is_call, transcript_of
from probes.references import NVIDIA_VENDOR_ID

TOOL = "lspci"
ADDRESS = r"\s*((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])"
TAIL = r"(?: \(rev ([0-9a-f]{2})\))?(?: \(prog-if ([0-9a-f]{2})[^)]{0,80}\))?"
NAMED = re.compile(rf"{ADDRESS} ([A-Z0-9][^:\[\]]{{1,80}}?): (\S.{{0,300}}?){TAIL}")
WITH_IDS = re.compile(
    rf"{ADDRESS} (\S[^:\[\]]{{0,80}}?) \[([0-9a-f]{{4}})\]: (?:(\S.{{0,300}}?) )?"
    rf"\[([0-9a-f]{{4}}):([0-9a-f]{{4}})\]{TAIL}"
)
NUMERIC = re.compile(rf"{ADDRESS} (?:Class )?([0-9a-f]{{4}}): ([0-9a-f]{{4}}):([0-9a-f]{{4}}){TAIL}")
CLASS_IN_BRACKETS = re.compile(rf"{ADDRESS} [^:]{{1,80}} \[[0-9a-f]{{4}}\]:")
PASSED_OVER = re.compile(
    r"\s*[0-9a-f]{2,3}:(?: [0-9a-f]{2}){1,16}|lspci: Unable to load libkmod resources: error -[0-9]{1,3}"
)
"""A dump of the configuration space, and what -k says without an index of modules: it still names the drivers."""
DETAIL = re.compile(r"\s+(\S[^:]{1,40}?):\s+(\S.*)")
SPEED, WIDTH = re.compile(r"\bSpeed ([0-9]{1,3}(?:\.[0-9])?)GT/s"), re.compile(r"\bWidth x([0-9]{1,2})\b")
LINK = re.compile(r"\s+(LnkCap|LnkSta):\s+(.*)")
UNREACHABLE = re.compile(r"\s*!!! Unknown header type 7f")
NUMBER = re.compile(r"[0-9]{1,9}")
NODE, GROUP = re.compile(r"\bNUMA node ([0-9]{1,4})\b"), re.compile(r"\bIOMMU group ([0-9]{1,6})\b")
FAILED = re.compile(r"\s*(?:pcilib: |lspci: )")
GPU_CLASSES = ("0300", "0302")
GPU_CLASS_NAMES = ("VGA compatible controller", "3D controller")
ALL_ONES = "ff"


@dataclass(frozen=True)
class Link:
    """A PCI Express link, from LnkCap or LnkSta."""

    speed_gt_per_s: float | None
    """None if it is unknown: the link is down."""
    width: int | None


@dataclass(frozen=True)
class LspciDevice:
    """One function. What was not asked for, or may not be read, is None."""

    address: PciAddress
    """With domain, 0000 where lspci leaves it out."""
    class_name: str
    """E.g. "3D controller", "Audio device", "PCI bridge"; empty with -n."""
    class_id: str
    """Four hexadecimal digits; empty without -nn or -n."""
    name: str
    """Vendor and device, without ids; empty with -n."""
    vendor_id: str
    """Four hexadecimal digits; empty without -nn or -n."""
    product_id: str
    revision: str | None = None
    subsystem: str | None = None
    driver: str | None = None
    """The driver that holds it; None also where none does."""
    modules: tuple[str, ...] = ()
    """Modules that could."""
    numa_node: int | None = None
    iommu_group: int | None = None
    link_capability: Link | None = None
    link_status: Link | None = None
    """As it is now; an idle card runs at lower speed."""
    is_reachable: bool = True
    """False where its configuration space reads all ones: it fell off the bus."""

    @property
    def is_nvidia(self) -> bool:
        """Whether NVIDIA made it, by its id, or by its name if no id is printed."""
        return self.vendor_id == NVIDIA_VENDOR_ID if self.vendor_id else self.name.startswith("NVIDIA")

    @property
    def is_nvidia_gpu(self) -> bool:
        """Whether this is a GPU of NVIDIA, not its audio function or a bridge."""
        return self.is_nvidia and (self.class_id in GPU_CLASSES or self.class_name in GPU_CLASS_NAMES)

    @property
    def kind(self) -> Literal["gpu", "audio", "bridge", "other"]:
        """What it is, of any vendor."""
        if self.class_id in GPU_CLASSES or self.class_name in GPU_CLASS_NAMES:
            return "gpu"
        if self.class_id == "0403" or self.class_name == "Audio device":
            return "audio"
        return "bridge" if self.class_id.startswith("06") or self.class_name.endswith("bridge") else "other"


def parse(text: str) -> tuple[LspciDevice, ...]:
    """Read `lspci` with any of -D, -n, -nn, -k, -v, -vv, -x; more than one call's answer may stand in it.

    Raises:
        ToolFailure: lspci says that it failed.
        ParseError: empty, a row of another shape or cut off, a device twice, or rows with and without ids.
    """
    lines = transcript_of(TOOL, text, TOOL)
    found: list[LspciDevice] = []
    indent = next((len(line) - len(line.lstrip()) for line in lines if line.strip()), 0)
    for number, line in enumerate(lines, start=1):
        if not line.strip() or is_call(line, TOOL) or PASSED_OVER.fullmatch(line):
            continue
        if found and (len(line) - len(line.lstrip()) > indent or UNREACHABLE.fullmatch(line)):
            found[-1] = _with_detail(found[-1], line, number)
        else:
            found.append(_row(line, number))
    _consistent(found)
    return tuple(found)


def _row(line: str, number: int) -> LspciDevice:
    if match := WITH_IDS.fullmatch(line):
        address, class_name, class_id, name, vendor, product, revision, interface = match.groups()
    elif match := NUMERIC.fullmatch(line):
        address, class_id, vendor, product, revision, interface = match.groups()
        class_name, name = "", ""
    elif (match := NAMED.fullmatch(line)) and not _is_cut_off(line):
        address, class_name, name, revision, interface = match.groups()
        class_id, vendor, product = "", "", ""
    elif FAILED.match(line):
        raise ToolFailure(TOOL, "failed", "it says that it failed", line=line, line_number=number)
    else:
        raise ParseError(TOOL, "not a device, or cut off", line=line, line_number=number)
    return LspciDevice(
        PciAddress(address),
        class_name,
        class_id,
        name or "",
        vendor,
        product,
        revision,
        is_reachable=ALL_ONES not in (revision, interface),
    )


def _is_cut_off(line: str) -> bool:
    """A class with its id has a device with ids; brackets are closed."""
    return CLASS_IN_BRACKETS.match(line) is not None or line.count("[") != line.count("]")


def _with_detail(device: LspciDevice, line: str, number: int) -> LspciDevice:
    if UNREACHABLE.fullmatch(line):
        return replace(device, is_reachable=False)
    if link := LINK.fullmatch(line):
        found = _link(link[2])
        known = device.link_capability if link[1] == "LnkCap" else device.link_status
        if known is not None and known != found:
            raise ParseError(TOOL, f"{link[1]} twice", line=line, line_number=number)
        return replace(device, link_capability=found) if link[1] == "LnkCap" else replace(device, link_status=found)
    match = DETAIL.fullmatch(line)
    return _with_field(device, match[1], match[2].strip(), line, number) if match else device


def _link(text: str) -> Link:
    speed, width = SPEED.search(text), WIDTH.search(text)
    return Link(float(speed[1]) if speed else None, int(width[1]) if width else None)


def _with_field(device: LspciDevice, name: str, value: str, line: str, number: int) -> LspciDevice:
    if name in ("NUMA node", "IOMMU group"):
        if NUMBER.fullmatch(value) is None:
            raise ParseError(TOOL, f"{name} is no number", line=line, line_number=number)
        return replace(device, numa_node=int(value)) if name == "NUMA node" else replace(device, iommu_group=int(value))
    if name == "Kernel driver in use":
        if device.driver not in (None, value):
            raise ParseError(TOOL, "two drivers", line=line, line_number=number)
        return replace(device, driver=value)
    if name == "Kernel modules":
        return replace(device, modules=tuple(word.strip() for word in value.split(",") if word.strip()))
    if name == "Flags":
        return _with_flags(device, value)
    return replace(device, subsystem=value) if name == "Subsystem" else device


def _with_flags(device: LspciDevice, value: str) -> LspciDevice:
    """With -v, node and group stand among the flags."""
    node, group = NODE.search(value), GROUP.search(value)
    device = replace(device, numa_node=int(node[1])) if node else device
    return replace(device, iommu_group=int(group[1])) if group else device


def _consistent(found: list[LspciDevice]) -> None:
    if not found:
        raise ParseError(TOOL, "no device")
    addresses: set[str] = set()
    for device in found:
        if device.address in addresses:
            raise ParseError(TOOL, "a device twice", line=device.address)
        addresses.add(device.address)
    if len({bool(device.vendor_id) for device in found}) > 1:
        odd = next(device for device in found if not device.vendor_id)
        raise ParseError(TOOL, "rows with and without ids", line=f"{odd.address} {odd.class_name}: {odd.name}")


def read(host: Host) -> tuple[LspciDevice, ...]:
    """PCI functions of `host`, with ids."""
    return parse(output_of(host, "lspci -Dnn").stdout)


def read_details(host: Host) -> tuple[LspciDevice, ...]:
    """As `read`, with drivers, links and groups; as root, for others may not read the links."""
    return parse(output_of(host, "lspci -Dnnvv", as_root=True).stdout)
