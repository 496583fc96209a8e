"""matrixMul of the CUDA samples: multiplies matrices and compares the result, in a second.

https://github.com/NVIDIA/cuda-samples
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import CommandError, ParseError
from access.host import Host
from probes.cuda_samples import refuse_failures, run_sample
from probes.reading import transcript_of

TOOL = "matrixMul"
RESULT = re.compile(r"Checking computed result for correctness: Result = (PASS|FAIL)")
WRONG = re.compile(r"Error! Matrix\[[0-9]{1,9}\]=")
RATE = re.compile(r"Performance= ?([0-9]{1,9}\.[0-9]{1,4}) GFlop/s")


@dataclass(frozen=True)
class MatrixMul:
    """One run on one card."""

    is_right: bool
    wrong_elements: int
    """As many as the program printed."""
    gflop_per_s: float


def parse(text: str) -> MatrixMul:
    """Read a run.

    Raises:
        ToolFailure: CUDA returned an error.
        ParseError: cut off before its result.
    """
    lines = transcript_of(TOOL, text, TOOL)
    results = [match[1] for line in lines if (match := RESULT.search(line))]
    rates = [float(match[1]) for line in lines if (match := RATE.search(line))]
    if not results:
        refuse_failures(TOOL, lines)
    if len(results) != 1 or len(rates) != 1:
        raise ParseError(TOOL, "not one rate and one result", line=lines[-1], line_number=len(lines))
    return MatrixMul(results[0] == "PASS", sum(bool(WRONG.search(line)) for line in lines), rates[0])


def read(host: Host, device: int) -> MatrixMul:
    """Multiply on one device; a wrong result is an answer, too."""
    try:
        return parse(run_sample(host, TOOL, f"-device={device}").stdout)
    except CommandError as error:
        if RESULT.search(error.stdout):
            return parse(error.stdout)
        raise
