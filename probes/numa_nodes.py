"""Processors and memory of a host's NUMA nodes, from sysfs.

https://docs.kernel.org/admin-guide/mm/numaperf.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.reading import lines_of

TOOL = "/sys/devices/system/node"
COMMAND = r"""
for d in /sys/devices/system/node/node[0-9]*; do
  [ -e "$d/cpulist" ] || continue
  memory=$(sed -n 's/.*MemTotal: *\([0-9]*\) kB/\1/p' "$d/meminfo" 2>/dev/null)
  echo "${d##*node} ${memory:--} $(cat "$d/cpulist")"
done; echo end
"""
ROW = re.compile(r"([0-9]{1,5}) ([0-9]{1,15}|-) ?((?:[0-9]{1,6}(?:-[0-9]{1,6})?(?:,|\Z)){0,2000})")
QUESTIONS = (Question(COMMAND),)


@dataclass(frozen=True)
class NumaNode:
    """One node."""

    number: int
    cpus: int
    """Logical processors; 0 where a node has memory only, as a GPU of Grace Hopper has."""
    memory_mib: int | None
    """None where the kernel tells none."""


def parse(text: str) -> tuple[NumaNode, ...]:
    """Read the rows of COMMAND.

    Raises:
        ParseError: a row of another shape, or a cut-off answer.
    """
    lines = lines_of(TOOL, text)
    if lines[-1] != "end":
        raise ParseError(TOOL, "the answer is cut off", line=lines[-1], line_number=len(lines))
    return tuple(_node(line, number) for number, line in enumerate(lines[:-1], start=1))


def _node(line: str, number: int) -> NumaNode:
    match = ROW.fullmatch(line.strip())
    if match is None:
        raise ParseError(TOOL, "not a NUMA node", line=line, line_number=number)
    ranges = [part.partition("-") for part in match[3].split(",") if part]
    cpus = sum(int(last or first) - int(first) + 1 for first, _, last in ranges)
    return NumaNode(int(match[1]), cpus, None if match[2] == "-" else int(match[2]) // 1024)


def read(host: Host) -> tuple[NumaNode, ...]:
    """All NUMA nodes of `host`."""
    return parse(output_of(host, COMMAND).stdout)
