"""The kernel's log: what the NVIDIA driver reports of its cards, and what the kernel found of an IOMMU."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from access.errors import ParseError, ToolFailure
from access.host import Host, output_of
from access.questions import Question
from probes.pci_address import PciAddress
from probes.reading import lines_of
from probes.references.xids import HARMLESS, meaning_of

TOOL = "dmesg"
ADDRESS = r"((?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?)"
XID = re.compile(rf"NVRM: Xid \((?:PCI:)?{ADDRESS}(?:[ ,][^)]{{0,80}})?\): ([0-9]{{1,4}})(?:, ?(.*))?")
XID_START = re.compile(r"NVRM: Xid \(")
SXID = re.compile(rf"SXid \(PCI:{ADDRESS}\): ([0-9]{{1,6}}), ?(.*)")
FATAL = re.compile(r"\s*Fatal\b")
PCI = re.compile(r"\b(?:PCI:)?((?:[0-9a-fA-F]{4,8}:)[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?)\b")
NVRM = re.compile(r"NVRM: ?(.*)")
PROBE = re.compile(
    r"nvidia: probe of (\S{1,40}) failed with error (-?[0-9]{1,5})"
    r"|nvidia (\S{1,40}): probe with driver nvidia failed with error (-?[0-9]{1,5})"
)
FALLEN_OFF = re.compile(r"fallen off the bus", re.I)
REFUSED = re.compile(
    r"RmInitAdapter failed|rm_init_adapter failed|Cannot initialize GSP firmware|WPR2 already up"
    r"|not supported by (?:the|open|this)\b|installed in this system is not supported|will ignore"
    r"|was not called|No NVIDIA|BAR[0-9] is 0M|None of the NVIDIA|is invalid:"
    r"|requires use of the NVIDIA open|API mismatch|Can't find an IRQ|pci_enable_device failed|bar firewall to lower"
    r"|ignoring the legacy GPU|request_mem_region failed|BAR1\.$|resize PCIe BARs"
    r"|(?:does not support|GPU) confidential compute|Confidential Compute as|CC is not supported|The NVIDIA vGPU"
)
OWN_CHECK = re.compile(r"nvAssert\w*|nvCheck\w*|Assertion failed|Check failed|\bNV_ERR_NOT_SUPPORTED\b")
"""What the driver writes of its own code also where all is well."""
UNSUPPORTED = re.compile(r"not supported by|will ignore|requires use of the NVIDIA open")
UNSIGNED = re.compile(r"Required key not available|module verification failed|unsigned module")
FORBIDDEN = re.compile(r"dmesg: read kernel buffer failed|klogctl: Operation not permitted")
BOOT = re.compile(r"(?:\]|kernel:|^)\s*Linux version [0-9]")

DMAR_ENABLED = re.compile(r"DMAR: IOMMU enabled|Intel-IOMMU: enabled")
DIRECTED_IO = re.compile(r"Intel\(R\) Virtualization Technology for Directed I/O")
DRHD = re.compile(r"(?:DMAR|dmar): DRHD base: ?(0x[0-9a-f]{1,16})")
AMD_VI = re.compile(r"AMD-Vi: (?!Event logged)")
REMAPPING_ON = re.compile(
    r"Enabled IRQ remapping in (x2apic|xapic) mode|AMD-Vi: Interrupt remapping enabled|AMD-Vi: X2APIC enabled"
)
REMAPPING_OFF = re.compile(
    r"Failed to (?:enable|setup|prepare) (?:irq|interrupt|IRQ)[- ]remapping|Not enabling interrupt remapping"
    r"|[Ii]nterrupt remapping (?:disabled|is disabled|not supported)"
)
GROUP = re.compile(
    rf"pci {ADDRESS}: Adding to iommu group ([0-9]{{1,5}})|iommu: Adding device {ADDRESS} to group ([0-9]{{1,5}})"
)
RMRR = re.compile(r"RMRR base: ?(0x[0-9a-f]{1,16}) end: ?(0x[0-9a-f]{1,16})")
RMRR_REFUSED = re.compile(rf"{ADDRESS}:? .{{0,200}}ineligible for IOMMU domain attach due to platform RMRR")
FAULT = re.compile(
    rf"DMAR: \[[^\]]{{1,40}}\] Request device \[{ADDRESS}\]|AMD-Vi: Event logged \[IO_PAGE_FAULT device={ADDRESS}"
)
DEFAULT_DOMAIN = re.compile(r"iommu: Default domain type: (Passthrough|Translated)")

STAMP = re.compile(
    r"(?:<[0-9]{1,3}>|\w{2,8} {0,3}:\w{2,8} {0,3}: )?"
    r"(?:\[ {0,10}\+?[0-9]{1,8}\.[0-9]{1,9}\]|\[\w{2,4} \w{2,5} {1,2}[0-9]{1,2} [0-9:]{8} [0-9]{4}\]"
    r"|\[[A-Z][a-z]{2} {0,2}[0-9]{1,2} [0-9]{2}:[0-9]{2}\]|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}"
    r"|[0-9]{1,4},[0-9]{1,12},[0-9]{1,16},|\S{1,40} .{0,60}\bkernel(?:\[[0-9]{1,7}\])?: )"
)
"""How a line of dmesg or journalctl -k begins: seconds since boot, a date, or date, host and `kernel:`."""
KERNEL_WORDS = re.compile(r"NVRM|nvidia|DMAR|IOMMU|AMD-Vi|Linux version|vfio|pci 0|ACPI|Command line:", re.I)
"""Of a log without times, as people copy it and as a kernel with printk.time=0 writes it."""
COMMAND = "dmesg"
QUESTIONS = (Question(COMMAND, as_root=True),)


@dataclass(frozen=True)
class Xid:
    """One Xid event."""

    address: PciAddress
    number: int
    detail: str
    action: str
    """What is left to do, a word of probes/references/xids.yaml."""

    @property
    def name(self) -> str:
        """What the number means."""
        return meaning_of(self.number).name

    @property
    def is_harmless(self) -> bool:
        """Whether it is no evidence against the card."""
        return self.action in HARMLESS


@dataclass(frozen=True)
class SwitchError:
    """One error of an NVSwitch (SXid).

    https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/
    """

    address: PciAddress
    number: int
    detail: str

    @property
    def is_fatal(self) -> bool:
        """Whether the switch says that it cannot go on."""
        return FATAL.match(self.detail) is not None


@dataclass(frozen=True)
class FallenOff:
    """A card that does not answer on the bus any more, whether the driver gave it an Xid or not."""

    address: PciAddress | None
    """None if the log names none nearby."""
    line: str


@dataclass(frozen=True)
class IommuLog:
    """The kernel log about the IOMMU. An old log may have lost the lines of the boot: see `KernelLog.has_boot`."""

    is_enabled: bool
    """Intel: switched on by the kernel's arguments."""
    has_directed_io: bool
    """Intel: VT-d is in use."""
    is_amd_vi: bool
    remapping_units: tuple[str, ...]
    """Intel: base addresses of units that the firmware declares (DRHD); they are there with the IOMMU off, too."""
    interrupt_remapping: bool | None
    """None if the log does not say."""
    default_domain: str | None
    """Passthrough or Translated (kernel 5.8 and newer)."""
    groups: dict[PciAddress, int]
    """Devices that were put into groups."""
    reserved_regions: tuple[tuple[int, int], ...]
    """Intel: first and last byte of regions that firmware keeps (RMRR)."""
    refused_for_reservation: dict[PciAddress, str]
    """Devices that may not be given away because of such a region → line."""
    faults: tuple[tuple[PciAddress, str], ...]
    """Accesses that the IOMMU stopped: device, line."""


@dataclass(frozen=True)
class KernelLog:
    """What the log reports."""

    xids: tuple[Xid, ...]
    switch_errors: tuple[SwitchError, ...]
    probe_errors: tuple[str, ...]
    """Lines that say why a card was not taken."""
    fallen_off: tuple[FallenOff, ...]
    refusals: tuple[str, ...]
    """Lines in which the driver reports a card that it does not support."""
    unsigned: tuple[str, ...]
    """Lines in which the kernel refuses, or complains of, a module that is not signed."""
    iommu: IommuLog
    has_boot: bool
    """Whether the log goes back to the boot: otherwise what is not in it may have been."""


def parse(text: str) -> KernelLog:
    """Read the text of dmesg or journalctl -k. Lines that are about neither NVIDIA nor an IOMMU are passed over.

    Raises:
        ToolFailure: the log may not be read.
        ParseError: empty, no log of a kernel, or an Xid of another shape.
    """
    lines = lines_of(TOOL, text)
    forbidden = next((line for line in lines if FORBIDDEN.search(line)), None)
    if forbidden is not None:
        raise ToolFailure(TOOL, "no-permission", "the log may not be read", line=forbidden, remedy="read it as root")
    if not any(STAMP.match(line) or KERNEL_WORDS.search(line) for line in lines):
        raise ParseError(TOOL, "not a kernel's log", line=lines[0], line_number=1)
    return KernelLog(
        tuple(_left_to_do(_xids(lines))),
        tuple(SwitchError(PciAddress(m[1]), int(m[2]), m[3]) for line in lines if (m := SXID.search(line))),
        tuple(line.strip() for line in lines if _says_why(line)),
        tuple(_fallen_off(lines)),
        tuple(line.strip() for line in lines if "NVRM:" in line and UNSUPPORTED.search(line)),
        tuple(line.strip() for line in lines if UNSIGNED.search(line) and ("nvidia" in line or "unsigned" in line)),
        _iommu(lines),
        any(BOOT.search(line[:200]) for line in lines),
    )


def _xids(lines: list[str]) -> list[Xid]:
    found = []
    for number, line in enumerate(lines, start=1):
        match = XID.search(line)
        if match:
            number, detail = int(match[2]), match[3] or ""
            found.append(Xid(PciAddress(match[1]), number, detail, meaning_of(number).action_of(detail)))
        elif XID_START.search(line):
            raise ParseError(TOOL, "an Xid of another shape, or cut off", line=line, line_number=number)
    return found


def _left_to_do(xids: list[Xid]) -> Iterable[Xid]:
    """Where a number tells what is left to do, only the card's last one asks for anything."""
    last = {(xid.address, xid.number): place for place, xid in enumerate(xids)}
    for place, xid in enumerate(xids):
        is_past = meaning_of(xid.number).last_counts and last[xid.address, xid.number] != place
        yield replace(xid, action="none") if is_past else xid


def _says_why(line: str) -> bool:
    if XID_START.search(line) or OWN_CHECK.search(line):
        return False
    return bool(PROBE.search(line) or FALLEN_OFF.search(line) or ("NVRM:" in line and REFUSED.search(line)))


def _fallen_off(lines: list[str]) -> list[FallenOff]:
    """The driver breaks its message over several lines: the address may stand in one above."""
    found: dict[PciAddress | str, FallenOff] = {}
    for number, line in enumerate(lines):
        if FALLEN_OFF.search(line):
            above = [text for text in reversed(lines[max(0, number - 2) : number]) if NVRM.search(text)]
            match = next((match for text in (line, *above) if (match := PCI.search(text))), None)
            address = PciAddress(match[1]) if match else None
            found.setdefault(address or line, FallenOff(address, line.strip()))
    return list(found.values())


def _iommu(lines: list[str]) -> IommuLog:
    told = [line for line in lines if re.search(r"dmar|iommu|AMD-Vi|remapping|Directed I/O|RMRR", line, re.I)]
    units = [match[1] for line in told if (match := DRHD.search(line))]
    groups = [match for line in told if (match := GROUP.search(line))]
    domains = [match[1] for line in told if (match := DEFAULT_DOMAIN.search(line))]
    regions = [match for line in told if (match := RMRR.search(line))]
    refused = [(match, line) for line in told if (match := RMRR_REFUSED.search(line))]
    faults = [(match, line) for line in told if (match := FAULT.search(line))]
    return IommuLog(
        any(DMAR_ENABLED.search(line) for line in told),
        any(DIRECTED_IO.search(line) for line in told),
        any(AMD_VI.search(line) for line in told),
        tuple(units),
        _remapping(told),
        domains[-1] if domains else None,
        {PciAddress(match[1] or match[3]): int(match[2] or match[4]) for match in groups},
        tuple((int(match[1], 16), int(match[2], 16)) for match in regions),
        {PciAddress(match[1]): line.strip() for match, line in refused},
        tuple((PciAddress(match[1] or match[2]), line.strip()) for match, line in faults),
    )


def _remapping(lines: list[str]) -> bool | None:
    if any(REMAPPING_ON.search(line) for line in lines):
        return True
    return False if any(REMAPPING_OFF.search(line) for line in lines) else None


def read(host: Host) -> KernelLog:
    """The log of `host` since boot."""
    return parse(output_of(host, COMMAND, as_root=True).stdout)
