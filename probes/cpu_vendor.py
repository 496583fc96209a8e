"""The vendor of a host's processors, from /proc/cpuinfo."""

from __future__ import annotations

import re

from access.errors import ParseError
from access.host import Host, output_of

FIELD = re.compile(r"vendor_id\s{0,9}: ?(\w{1,40})")
VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "amd"}


def parse(text: str) -> str:
    """Read the first field vendor_id: intel or amd.

    Raises:
        ParseError: there is none, or another vendor.
    """
    match = FIELD.fullmatch(text.strip())
    if match is None or match[1] not in VENDORS:
        raise ParseError("/proc/cpuinfo", "no known vendor of processors", line=text[:200])
    return VENDORS[match[1]]


def read(host: Host) -> str:
    """The vendor of `host`'s processors."""
    return parse(output_of(host, "grep -m 1 vendor_id /proc/cpuinfo").stdout)
