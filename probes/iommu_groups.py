"""IOMMU groups, from the links in /sys/kernel/iommu_groups.

https://docs.kernel.org/driver-api/vfio.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from probes.pci_address import PciAddress
from probes.reading import transcript_of

TOOL = "IOMMU groups"
COMMAND = (
    "find /sys/kernel/iommu_groups/ -type l 2>/dev/null; "
    'for g in /sys/kernel/iommu_groups/*/type; do [ -e "$g" ] && echo "$g $(cat "$g")"; done; echo end'
)
LINK = re.compile(
    r"\s*/sys/kernel/iommu_groups/+([0-9]{1,6})/devices/((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]|[\w.:-]{1,80})"
)
TYPE = re.compile(r"\s*/sys/kernel/iommu_groups/+([0-9]{1,6})/type (\S{1,40})")


@dataclass(frozen=True)
class IommuGroup:
    """One group: its members can only be given away together."""

    number: int
    devices: tuple[PciAddress, ...]
    others: tuple[str, ...]
    """Members that are no PCI devices, e.g. of ACPI."""
    domain_type: str | None
    """E.g. "identity" (passthrough), "DMA", "DMA-FQ"; None before kernel 5.11."""


def parse(text: str) -> tuple[IommuGroup, ...]:
    """Read links as `find` prints them, with lines of types, ended by the line `end` or not.

    Raises:
        ParseError: empty, a line of another shape, or a device in two groups.
    """
    lines = transcript_of(TOOL, text, "/sys/kernel/iommu_groups")
    devices: dict[str, int] = {}
    types: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        if match := LINK.fullmatch(line):
            if match[2] in devices:
                raise ParseError(TOOL, "a device twice", line=line, line_number=number)
            devices[match[2]] = int(match[1])
        elif match := TYPE.fullmatch(line):
            types[int(match[1])] = match[2]
        elif line.strip() and not (line.strip() == "end" and number == len(lines)):
            raise ParseError(TOOL, "not a member of a group", line=line, line_number=number)
    numbers = sorted({*devices.values(), *types})
    return tuple(
        _group(number, [name for name, group in devices.items() if group == number], types) for number in numbers
    )


def _group(number: int, names: list[str], types: dict[int, str]) -> IommuGroup:
    pci = [name for name in names if re.fullmatch(r"(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", name)]
    others = tuple(name for name in names if name not in pci)
    return IommuGroup(number, tuple(PciAddress(name) for name in pci), others, types.get(number))


def read(host: Host) -> tuple[IommuGroup, ...]:
    """Groups of `host`; none is an answer, too: the IOMMU is off.

    Raises:
        ParseError: also where the answer is cut off.
    """
    text = output_of(host, COMMAND).stdout
    if text.split()[-1:] != ["end"]:
        raise ParseError(TOOL, "the answer is cut off", line=text[-200:])
    return parse(text)
