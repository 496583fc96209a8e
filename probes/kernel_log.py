"""The kernel's log: what the NVIDIA driver reports."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.host import Host, output_of
from probes.reading import lines_of

XID = re.compile(r"NVRM: Xid \((?:PCI:)?([^)]+)\): (\d+)(?:, ?(.*))?")
NVRM = re.compile(r"NVRM: (.*)")
PROBE = re.compile(r"nvidia: probe of (\S+) failed with error (-?\d+)")
FALLEN_OFF = re.compile(r"GPU (?:at |)(\S+?):? .*fallen off the bus", re.I)
HARMLESS_XIDS = frozenset({31, 45, 145})
"""Faults of an application (31), a cleaned-up channel (45), a link event that recovers by itself (145).

https://docs.nvidia.com/deploy/xid-errors/
"""


@dataclass(frozen=True)
class Xid:
    """One Xid event."""

    address: str
    number: int
    detail: str

    @property
    def is_harmless(self) -> bool:
        """Whether it says nothing against the card."""
        return self.number in HARMLESS_XIDS


@dataclass(frozen=True)
class KernelLog:
    """What the log says about NVIDIA's cards."""

    xids: tuple[Xid, ...]
    probe_errors: tuple[str, ...]
    """Lines that say why a card was not taken."""


def parse(text: str) -> KernelLog:
    """Read the text of dmesg. Lines that are not about NVIDIA are passed over.

    Raises:
        ParseError: empty.
    """
    xids, problems = [], []
    for line in lines_of("dmesg", text):
        match = XID.search(line)
        if match:
            xids.append(Xid(match[1], int(match[2]), match[3] or ""))
        elif (
            PROBE.search(line)
            or FALLEN_OFF.search(line)
            or "RmInitAdapter failed" in line
            or ("NVRM" in line and re.search(r"not supported|will ignore|was not called|No NVIDIA|BAR\d is 0M", line))
        ):
            problems.append(line.strip())
    return KernelLog(tuple(xids), tuple(problems))


def read(host: Host) -> KernelLog:
    """The log of `host` since boot."""
    return parse(output_of(host, "dmesg", as_root=True).stdout)
