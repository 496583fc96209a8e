"""Parameters of a loaded kernel module, from /sys/module."""

from __future__ import annotations

import re

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.reading import transcript_of

TOOL = "/sys/module/*/parameters"
NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
ROW = re.compile(r"\s*(?:/sys/module/\w{1,64}/parameters/)?([A-Za-z0-9_]{1,64}):(.*)")
CONFIGURED = r"""
{ modprobe --showconfig 2>/dev/null || cat /etc/modprobe.d/*.conf; tr ' ' '\n' </proc/cmdline; echo end; } | tr - _
"""
"""Options of modules from modprobe's configuration, then the kernel's arguments."""
VFIO = "vfio_iommu_type1"
DMA_LIMIT = re.compile(r"^[ \t]*(?:options\s+)?vfio_iommu_type1[\s.].{0,200}?dma_entry_limit=(\S{1,20})", re.M)
ON, OFF = ("Y", "1"), ("N", "0")
"""How the kernel writes a switch."""


def parse(text: str) -> dict[str, str]:
    """Values by name, from the lines of `grep ""`.

    Raises:
        ParseError: empty, or a line of another shape.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(transcript_of(TOOL, text, "/sys/module"), start=1):
        match = ROW.fullmatch(line)
        if line.strip() and match is None:
            raise ParseError(TOOL, "not a parameter", line=line, line_number=number)
        if match:
            found[match[1]] = match[2].strip()
    return found


def _command(module: str) -> str:
    folder = f"/sys/module/{module}"
    values = f"cd {folder}/parameters 2>/dev/null && grep -s '' *"
    return f"[ -d {folder} ] || {{ echo absent; exit 0; }}; {values}; echo end:"


QUESTIONS = (Question(_command(VFIO), as_root=True),)


def read(host: Host, module: str) -> dict[str, str] | None:
    """Parameters of a module of `host`; None if it is not loaded."""
    if not NAME.fullmatch(module):
        raise ValueError(module)
    text = output_of(host, _command(module), as_root=True).stdout
    if text.strip() == "absent":
        return None
    found = parse(text)
    if "end" not in found:
        raise ParseError(TOOL, "the answer is cut off", line=text[-200:])
    return {name: value for name, value in found.items() if name != "end"}


def dma_entry_limit(host: Host) -> int | None:
    """How many DMA mappings VFIO may make for one instance; None if nobody sets it and its module is not loaded.

    Where the module is not loaded yet, modprobe's configuration says with what it will be.
    """
    value = (read(host, VFIO) or {}).get("dma_entry_limit")
    if value is None:
        found = DMA_LIMIT.findall(output_of(host, CONFIGURED, as_root=True).stdout)
        value = found[-1] if found else None
    if value is not None and not value.isdigit():
        raise ParseError(TOOL, "dma_entry_limit is no number", line=value)
    return None if value is None else int(value)


def allows_unsafe_interrupts(host: Host) -> bool | None:
    """Whether VFIO is allowed to work without interrupt remapping; None if its module is not loaded.

    https://docs.kernel.org/driver-api/vfio.html
    """
    parameters = read(host, VFIO)
    value = (parameters or {}).get("allow_unsafe_interrupts")
    if value is None or value in OFF:
        return None if value is None else False
    if value in ON:
        return True
    raise ParseError(TOOL, "allow_unsafe_interrupts is neither on nor off", line=value)
