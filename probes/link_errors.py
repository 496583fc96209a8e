"""Errors of links, as counters that only grow: nvidia-smi nvlink -e in an instance, PCI Express on its host.

https://docs.kernel.org/PCI/pcieaer-howto.html, https://docs.kernel.org/admin-guide/abi-testing.html (aer_dev_*)
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from access.host import Host
from probes.reading import bounded

TOOL = "nvidia-smi nvlink -e"
END = "end"
CARD = re.compile(r"\s*GPU ([0-9]{1,3}): .{1,200}")
LINK = re.compile(r"\s*Link ([0-9]{1,3}): ([A-Z][A-Za-z ]{2,40}): ([0-9]{1,18})")
AER = re.compile(r"(\S{1,40}) aer_dev_(correctable|nonfatal|fatal) (\w{1,40}) ([0-9]{1,18})")
AER_COMMAND = (
    "for device in $(cd /sys/bus/pci/devices && grep -l 0x10de */vendor 2>/dev/null); do device=${device%/vendor}; "
    'for place in "$device" "$(basename "$(dirname "$(readlink -f /sys/bus/pci/devices/$device)")")"; do '
    "for kind in correctable nonfatal fatal; do file=/sys/bus/pci/devices/$place/aer_dev_$kind; "
    '[ ! -r $file ] || sed "/ 0$/d; s/^/$place aer_dev_$kind /" $file; done; done; done | sort -u; echo end'
)
"""What is not 0 of each NVIDIA device and of the port above it; without Advanced Error Reporting there are no files."""


def parse(text: str) -> Mapping[str, int]:
    """Counters of nvidia-smi nvlink -e, e.g. "GPU 0 link 3 CRC Errors"; none on cards without NVLink.

    Raises:
        ParseError: it is too long.
    """
    found: dict[str, int] = {}
    card = ""
    for line in bounded(TOOL, text).splitlines():
        if match := CARD.fullmatch(line):
            card = match[1]
        elif card and (match := LINK.fullmatch(line)):
            found[f"GPU {card} link {match[1]} {match[2]}"] = int(match[3])
    return found


def parse_aer(text: str) -> Mapping[str, int]:
    """Counters of PCI Express errors, e.g. "0000:04:00.0 correctable BadTLP"; totals are left out.

    Raises:
        ParseError: it is too long.
    """
    matches = (AER.fullmatch(line.strip()) for line in bounded("aer_dev_*", text).splitlines())
    return {
        f"{match[1]} {match[2]} {match[3]}": int(match[4])
        for match in matches
        if match and not match[3].startswith("TOTAL_ERR")
    }


def grown(before: str, after: str) -> Mapping[str, tuple[int, int]]:
    """Counters of NVLink before and after, of those that are larger afterwards."""
    return _larger(parse(before), parse(after))


def grown_aer(before: str, after: str) -> Mapping[str, tuple[int, int]]:
    """Counters of PCI Express before and after, of those that are larger afterwards; none where one cannot be read."""
    if not all(text.rstrip().endswith(END) for text in (before, after)):
        return {}
    return _larger(parse_aer(before), parse_aer(after))


def _larger(before: Mapping[str, int], after: Mapping[str, int]) -> Mapping[str, tuple[int, int]]:
    return {name: (before.get(name, 0), count) for name, count in after.items() if count > before.get(name, 0)}


def read_aer(host: Host) -> str:
    """The counters of a server's NVIDIA cards as text; parse_aer reads it.

    Raises:
        ConnectError, CommandError: as `Host.run`.
    """
    return host.run(AER_COMMAND).stdout
