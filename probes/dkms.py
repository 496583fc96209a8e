"""dkms status: for which kernels a module was built, in the forms of version 2 and 3."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from access.errors import ParseError, ToolFailure
from access.host import Host, output_of
from probes.reading import transcript_of

TOOL = "dkms status"
WORD = r"[^\s,:/]{1,120}"
ROW = re.compile(
    rf"\s*({WORD})(?:/|, )({WORD}(?::{WORD})?)(?:, ({WORD}), ({WORD}))?: (added|built|installed|installed-weak|broken)(?: from {WORD})?"
    r"(?:\s*\((.{1,400})\))?"
)
WARNING = re.compile(r"Deprecated feature: |[Ww]arning: ")
FAILED = re.compile(r"Error! |File: |dkms: |[Pp]ermission denied")


@dataclass(frozen=True)
class DkmsModule:
    """One row: one module, or one module for one kernel."""

    name: str
    version: str
    kernel: str | None
    """None when it is only added, or broken: built for no kernel."""
    architecture: str | None
    state: Literal["added", "built", "installed", "installed-weak", "broken"]
    note: str | None
    """E.g. "original_module exists", "WARNING! Diff between built and installed module!"."""

    @property
    def is_installed(self) -> bool:
        """Whether modprobe finds it, and finds what was built."""
        return self.state.startswith("installed") and not (self.note or "").startswith("WARNING")


def parse(text: str) -> tuple[DkmsModule, ...]:
    """Read the answer.

    Raises:
        ToolFailure: dkms says that it failed.
        ParseError: empty, a row of another shape, or one twice.
    """
    found: dict[tuple[str, str, str | None, str | None], DkmsModule] = {}
    lines = transcript_of(TOOL, text, "dkms")
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (WARNING.search(line) and not ROW.fullmatch(line)):
            continue
        if FAILED.search(line):
            raise ToolFailure(TOOL, "failed", "it says that it failed", line=line, line_number=number)
        match = ROW.fullmatch(line)
        if match is None:
            raise ParseError(TOOL, "not a module", line=line, line_number=number)
        module = _module(match)
        key = (module.name, module.version, module.kernel, module.architecture)
        if key in found or (module.kernel is None and module.is_installed):
            raise ParseError(TOOL, "a module twice, or installed for no kernel", line=line, line_number=number)
        found[key] = module
    if not found:
        raise ParseError(TOOL, "no module", line=lines[-1])
    return tuple(found.values())


def _module(match: re.Match[str]) -> DkmsModule:
    states: dict[str, Literal["added", "built", "installed", "installed-weak", "broken"]] = {
        "added": "added", "built": "built", "installed": "installed", "installed-weak": "installed-weak",
        "broken": "broken",
    }  # fmt: skip
    return DkmsModule(match[1], match[2], match[3], match[4], states[match[5]], match[6])


def read(host: Host) -> tuple[DkmsModule, ...]:
    """Modules that dkms keeps on `host`; none is an answer, too."""
    output = output_of(host, "dkms status")
    return parse(output.stdout) if output.stdout.strip() else ()
