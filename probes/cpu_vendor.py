"""The vendor of a host's processors, from /proc/cpuinfo."""

from __future__ import annotations

import re

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question

FIELD = re.compile(r"vendor_id\s{0,9}: ?(\w{1,40})")
OF_ARM = re.compile(r"CPU implementer\s{0,9}: ?0x[0-9a-f]{2}")
"""Who made an Arm processor, e.g. 0x41 for the cores of NVIDIA Grace."""
VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "amd"}
COMMAND = "grep -m 1 -e vendor_id -e 'CPU implementer' /proc/cpuinfo"
QUESTIONS = (Question(COMMAND),)


def parse(text: str) -> str:
    """Read the first field vendor_id, or CPU implementer: intel, amd or arm.

    Raises:
        ParseError: there is none, or another vendor.
    """
    if OF_ARM.fullmatch(text.strip()):
        return "arm"
    match = FIELD.fullmatch(text.strip())
    if match is None or match[1] not in VENDORS:
        raise ParseError("/proc/cpuinfo", "no known vendor of processors", line=text[:200])
    return VENDORS[match[1]]


def read(host: Host) -> str:
    """The vendor of `host`'s processors."""
    return parse(output_of(host, COMMAND).stdout)
