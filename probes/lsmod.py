"""Loaded kernel modules, as lsmod prints them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.host import Host, output_of
from probes.reading import lines_of
from provisioning.errors import ParseError

HEADER = re.compile(r"Module\s+Size\s+Used by")
ROW = re.compile(r"(\S+)\s+(\d+)\s+(-?\d+)(?:\s+(\S+))?\s*")


@dataclass(frozen=True)
class Module:
    """One loaded module."""

    name: str
    size_bytes: int
    use_count: int
    used_by: tuple[str, ...]


def parse(text: str) -> dict[str, Module]:
    """Modules by name.

    Raises:
        ParseError: no header, a row of another shape, or a module twice.
    """
    lines = lines_of("lsmod", text)
    if not HEADER.match(lines[0]):
        raise ParseError("lsmod", "no header", line=lines[0], line_number=1)
    found: dict[str, Module] = {}
    for number, line in enumerate(lines[1:], start=2):
        match = ROW.fullmatch(line)
        if match is None or match[1] in found:
            raise ParseError(
                "lsmod", "not a module" if match is None else "a module twice", line=line, line_number=number
            )
        users = tuple(user for user in (match[4] or "").split(",") if user and user != "[permanent]")
        found[match[1]] = Module(match[1], int(match[2]), int(match[3]), users)
    return found


def read(host: Host) -> dict[str, Module]:
    """Modules that are loaded on `host`."""
    return parse(output_of(host, "lsmod").stdout)
