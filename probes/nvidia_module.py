"""/proc/driver/nvidia/version: which NVIDIA kernel module is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from access.errors import ParseError
from access.host import Host
from probes.reading import read_file, transcript_of

TOOL = "/proc/driver/nvidia/version"
VERSION = r"([0-9]{2,4}\.[0-9]{1,3}(?:\.[0-9]{1,3})?)"
PROPRIETARY = re.compile(rf"\s*NVRM version: NVIDIA UNIX (\w+)\s+Kernel Module\s+{VERSION}\s+(\S.*)")
OPEN = re.compile(rf"\s*NVRM version: NVIDIA UNIX Open Kernel Module for (\w+)\s+{VERSION}\s+(\S.*)")
COMPILER = re.compile(r"\s*GCC version:\s*(.*)")
BUILT = re.compile(r".*\b[0-9]{4}")
"""Both forms end with the build's date, in the language of the machine that built it…"""
DATED = re.compile(r".*[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*|\w+ Build\s+\(\S{1,200}\)\s*")
"""…which distributions leave out that build the module reproducibly. Such a line is whole if another follows."""


@dataclass(frozen=True)
class NvidiaModule:
    """The loaded kernel module."""

    version: str
    flavour: Literal["proprietary", "open"]
    architecture: str
    compiler: str | None = None
    """What it was built with, as the compiler prints its version; None if that is an error's text, or missing."""

    @property
    def branch(self) -> int:
        """Driver branch, e.g. 384."""
        return int(self.version.split(".")[0])


def parse(text: str) -> NvidiaModule:
    """Read the file's text.

    Raises:
        ParseError: empty, cut off, or no line `NVRM version:` of a known shape.
    """
    lines = transcript_of(TOOL, text, TOOL)
    found: NvidiaModule | None = None
    compiler: str | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if found is None:
            found = _module(line, number, is_last=number == len(lines))
        elif (match := COMPILER.fullmatch(line)) and compiler is None:
            compiler = match[1].strip()
        elif compiler is None:
            raise ParseError(TOOL, "not a line that we know", line=line, line_number=number)
    if found is None:
        raise ParseError(TOOL, "no line NVRM version", line=lines[-1], line_number=len(lines))
    is_error = compiler is None or "error" in compiler or not compiler
    return NvidiaModule(found.version, found.flavour, found.architecture, None if is_error else compiler)


def _module(line: str, number: int, *, is_last: bool) -> NvidiaModule:
    free, closed = OPEN.fullmatch(line), PROPRIETARY.fullmatch(line)
    match = free or closed
    is_whole = match is not None and (BUILT.fullmatch(match[3]) or (not is_last and DATED.fullmatch(match[3])))
    if match is None or not is_whole:
        raise ParseError(TOOL, "unknown form, or cut off", line=line, line_number=number)
    return NvidiaModule(match[2], "open" if free else "proprietary", match[1])


def read(host: Host) -> NvidiaModule:
    """The module that is loaded on `host`; CommandError when none is."""
    return parse(read_file(host, TOOL))
