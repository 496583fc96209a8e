"""/proc/driver/nvidia/version: which NVIDIA kernel module is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from probes.host import Host
from probes.reading import lines_of, read_file
from provisioning.errors import ParseError

VERSION = re.compile(
    r"^NVRM version: NVIDIA UNIX (Open Kernel Module for )?(\S+)\s+(?:Kernel Module\s+)?(\d+\.\d+(?:\.\d+)?)\s"
)


@dataclass(frozen=True)
class NvidiaModule:
    """The loaded kernel module."""

    version: str
    flavour: Literal["proprietary", "open"]
    architecture: str

    @property
    def branch(self) -> int:
        """Driver branch, e.g. 384."""
        return int(self.version.split(".")[0])


def parse(text: str) -> NvidiaModule:
    """Read the file's text.

    Raises:
        ParseError: empty, or no line `NVRM version:` of a known shape.
    """
    for number, line in enumerate(lines_of("/proc/driver/nvidia/version", text), start=1):
        if line.startswith("NVRM version:"):
            match = VERSION.match(line + " ")
            if match is None:
                raise ParseError("/proc/driver/nvidia/version", "unknown form", line=line, line_number=number)
            return NvidiaModule(match[3], "open" if match[1] else "proprietary", match[2])
    raise ParseError("/proc/driver/nvidia/version", "no line NVRM version")


def read(host: Host) -> NvidiaModule:
    """The module that is loaded on `host`; CommandError when none is."""
    return parse(read_file(host, "/proc/driver/nvidia/version"))
