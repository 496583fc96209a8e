"""p2pBandwidthLatencyTest of the CUDA samples."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.cuda_samples import run_sample
from probes.host import Host
from probes.reading import lines_of
from provisioning.errors import ParseError

TOOL = "p2pBandwidthLatencyTest"
BANDWIDTH = re.compile(
    r"^(Unidirectional|Bidirectional) P2P=(Enabled|Disabled) Bandwidth(?: \(P2P (?:Writes|Reads)\))? Matrix \(GB/s\)$"
)
LATENCY = re.compile(r"^P2P=(Enabled|Disabled) Latency(?: \(P2P (?:Writes|Reads)\))? Matrix \(us\)$")
ACCESS = re.compile(r"^Device=(\d+) (CAN|CANNOT) Access Peer Device=(\d+)$")
HEADER = re.compile(r"^(D\\D|GPU)((?:\s+\d+)+)$")
Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class P2pTest:
    """Matrices between all devices; the diagonal is a copy within one."""

    can_access: frozenset[tuple[int, int]]
    """Pairs that reach each other directly; for the others P2P=Enabled is a copy through the host."""
    unidirectional_gb_per_s: Matrix
    """P2P enabled where it can be."""
    bidirectional_gb_per_s: Matrix
    latency_us: Matrix


def parse(text: str) -> P2pTest:
    """Read a run.

    Raises:
        ParseError: a matrix is missing, not square, or holds something else than figures.
    """
    lines = [line.strip() for line in lines_of(TOOL, text)]
    matrices: dict[str, Matrix] = {}
    for number, line in enumerate(lines):
        key = _key(line)
        if key is not None and key not in matrices:
            matrices[key] = _matrix(lines, number + 1)
    wanted = ("Unidirectional Enabled", "Bidirectional Enabled", "Latency Enabled")
    missing = [key for key in wanted if key not in matrices]
    if missing:
        raise ParseError(TOOL, f"no matrix {', '.join(missing)}", line=lines[-1])
    access = frozenset((int(m[1]), int(m[3])) for line in lines if (m := ACCESS.match(line)) and m[2] == "CAN")
    return P2pTest(access, *(matrices[key] for key in wanted))


def _key(line: str) -> str | None:
    if match := BANDWIDTH.match(line):
        return f"{match[1]} {match[2]}"
    if match := LATENCY.match(line):
        return f"Latency {match[1]}"
    return None


def _matrix(lines: list[str], start: int) -> Matrix:
    header = HEADER.match(lines[start]) if start < len(lines) else None
    if header is None:
        raise ParseError(TOOL, "no header below a matrix's title", line=lines[start - 1], line_number=start)
    size = len(header[2].split())
    rows = []
    for offset in range(size):
        line = lines[start + 1 + offset] if start + 1 + offset < len(lines) else ""
        words = line.split()
        try:
            if len(words) != size + 1 or int(words[0]) != offset:
                raise ValueError
            rows.append(tuple(float(word) for word in words[1:]))
        except ValueError:
            raise ParseError(TOOL, "not a row of the matrix", line=line, line_number=start + 2 + offset) from None
    return tuple(rows)


def read(host: Host) -> P2pTest:
    """Measure all pairs of `host`."""
    return parse(run_sample(host, TOOL).stdout)
