"""How much memory libvirt's daemon may lock, which is what QEMU may lock unless the daemon can raise it.

https://man7.org/linux/man-pages/man2/getrlimit.2.html, https://libvirt.org/formatdomain.html#memory-tuning
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.reading import lines_of

TOOL = "/proc of libvirt's daemon"
COMMAND = r"""
for name in virtqemud libvirtd; do
  pid=$(pgrep -o -x "$name") || continue
  echo "daemon $name"; grep '^Max locked memory' "/proc/$pid/limits"; grep '^CapEff:' "/proc/$pid/status"; break
done; echo end
"""
LIMIT = re.compile(r"Max locked memory +(?:[0-9]{1,20}|unlimited) +([0-9]{1,20}|unlimited) +bytes *")
RIGHTS = re.compile(r"CapEff:\s+([0-9a-f]{1,32})")
SYS_RESOURCE = 1 << 24
"""CAP_SYS_RESOURCE: raises limits above the hard one (linux/capability.h)."""
QUESTIONS = (Question(COMMAND, as_root=True),)


@dataclass(frozen=True)
class MemoryLocking:
    """What one daemon may do."""

    daemon: str
    limit_bytes: int | None
    """The hard limit; None if there is none."""
    can_raise: bool


def parse(text: str) -> MemoryLocking | None:
    """Read the rows of COMMAND; None if no daemon runs: one that is started by its socket may be idle.

    Raises:
        ParseError: another shape, or a cut-off answer.
    """
    lines = lines_of(TOOL, text)
    if lines[-1] != "end":
        raise ParseError(TOOL, "the answer is cut off", line=lines[-1], line_number=len(lines))
    if len(lines) == 1:
        return None
    limit = next((found for line in lines if (found := LIMIT.fullmatch(line))), None)
    rights = next((found for line in lines if (found := RIGHTS.fullmatch(line))), None)
    if not lines[0].startswith("daemon ") or limit is None or rights is None:
        raise ParseError(TOOL, "no limit or no capabilities", line=lines[0])
    hard = None if limit[1] == "unlimited" else int(limit[1])
    return MemoryLocking(lines[0].partition(" ")[2], hard, bool(int(rights[1], 16) & SYS_RESOURCE))


def read(host: Host) -> MemoryLocking | None:
    """What libvirt's daemon of `host` may do."""
    return parse(output_of(host, COMMAND, as_root=True).stdout)
