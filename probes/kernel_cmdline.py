"""The running kernel's command line, /proc/cmdline."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host
from probes.reading import question_of, read_file, transcript_of

TOOL = "/proc/cmdline"
QUESTIONS = (question_of(TOOL),)
WORD = re.compile(r'(?:[^\s"]|"[^"]*(?:"|$))+')
"""Blanks within double quotes do not separate (https://docs.kernel.org/admin-guide/kernel-parameters.html)."""
ENDED_BY = "--"
"""What follows is for init, not for the kernel."""


@dataclass(frozen=True)
class KernelCmdline:
    """Arguments in their order."""

    arguments: tuple[str, ...]

    def values(self, name: str) -> tuple[str, ...]:
        """Values of every `name=…`, in their order, e.g. values("iommu") == ("pt",)."""
        return values(self.arguments, name)


def split(text: str) -> tuple[str, ...]:
    """Arguments of the kernel in a line of them."""
    words = tuple(WORD.findall(text))
    return words[: words.index(ENDED_BY)] if ENDED_BY in words else words


def values(arguments: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Values of every `name=…`, without quotes; to the kernel - and _ are one in a name (kernel/params.c: parameq)."""
    found = [argument.partition("=") for argument in arguments]
    return tuple(
        value.strip('"') for key, equals, value in found if equals and key.strip('"').replace("-", "_") == name
    )


def turns_iommu_on(arguments: tuple[str, ...], cpu_vendor: str, *, on_by_default: bool = False) -> bool:
    """Whether kernel arguments leave the IOMMU of a vendor's processor on; the last of two wins.

    AMD's is on unless refused; Intel's is off unless asked for, or `on_by_default` by the kernel's configuration. Arm's
    has no argument.

    https://docs.kernel.org/admin-guide/kernel-parameters.html
    """
    if cpu_vendor == "arm":
        return True
    if "off" in _options(arguments, "iommu"):
        return False
    if cpu_vendor == "amd":
        return "off" not in _options(arguments, "amd_iommu")
    switches = [option for option in _options(arguments, "intel_iommu") if option in ("on", "off")]
    return switches[-1] == "on" if switches else on_by_default


def _options(arguments: tuple[str, ...], name: str) -> list[str]:
    return [option for value in values(arguments, name) for option in value.split(",")]


def parse(text: str) -> KernelCmdline:
    """Read the content of /proc/cmdline.

    Raises:
        ParseError: empty, or more than one line.
    """
    lines = transcript_of(TOOL, text, TOOL)
    filled = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if len(filled) != 1:
        number, line = filled[1]
        raise ParseError(TOOL, "more than one line", line=line, line_number=number)
    number, line = filled[0]
    if not line.isprintable() or "\ufffd" in line:
        raise ParseError(TOOL, "characters that no command line has", line=line, line_number=number)
    return KernelCmdline(split(line))


def read(host: Host) -> KernelCmdline:
    """The command line that `host` was booted with."""
    return parse(read_file(host, TOOL))
