"""simpleP2P of the CUDA samples: copies between two cards and compares what arrived.

https://github.com/NVIDIA/cuda-samples
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import CommandError, ParseError
from access.host import Host
from probes.cuda_samples import refuse_failures, run_sample
from probes.reading import transcript_of

TOOL = "simpleP2P"
ACCESS = re.compile(r"> Peer access from .{1,200} \(GPU([0-9]{1,2})\) -> .{1,200} \(GPU([0-9]{1,2})\) ?: (Yes|No)")
WRONG = re.compile(r"Verification error @ element [0-9]{1,9}")
WAIVED = re.compile(r"[Ww]aiving test")
ENDS = {"Test passed": True, "Test failed!": False}


@dataclass(frozen=True)
class SimpleP2p:
    """One run."""

    can_access: frozenset[tuple[int, int]]
    copies_arrive: bool | None
    """None if no two cards have peer access, so that nothing was copied."""
    wrong_elements: int
    """As many as the program printed."""


def parse(text: str) -> SimpleP2p:
    """Read a run.

    Raises:
        ToolFailure: CUDA returned an error.
        ParseError: cut off before its end.
    """
    lines = transcript_of(TOOL, text, TOOL)
    can = frozenset((int(m[1]), int(m[2])) for line in lines if (m := ACCESS.search(line)) and m[3] == "Yes")
    ends = [ENDS[line.strip()] for line in lines if line.strip() in ENDS]
    if not ends and any(WAIVED.search(line) for line in lines):
        return SimpleP2p(can, None, 0)
    if not ends:
        refuse_failures(TOOL, lines)
    if len(ends) != 1:
        raise ParseError(TOOL, "not one end", line=lines[-1], line_number=len(lines))
    return SimpleP2p(can, ends[0], sum(bool(WRONG.search(line)) for line in lines))


def read(host: Host) -> SimpleP2p:
    """Copy between the first two cards that reach each other; a wrong copy, or none, is an answer, too."""
    try:
        return parse(run_sample(host, TOOL).stdout)
    except CommandError as error:
        if WAIVED.search(error.stdout) or any(end in error.stdout for end in ENDS):
            return parse(error.stdout)
        raise
