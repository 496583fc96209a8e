"""nvbandwidth: bandwidth and latency by copy engine (ce) and by kernel (sm), as text or as JSON.

https://github.com/NVIDIA/nvbandwidth
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from access.errors import ParseError, ToolFailure
from access.host import Host
from probes.cuda_samples import refuse_failures, run_sample
from probes.nvbandwidth_json import parse_json
from probes.nvbandwidth_run import (
    DESCRIPTION,
    TOOL,
    Device,
    Matrix,
    NvBandwidth,
    Unit,
    cuda_version,
    refuse_other_sum,
    unit_of,
)
from probes.pci_address import PciAddress
from probes.reading import number_of, transcript_of

NEEDED = ("host_to_device_memcpy_ce", "device_to_host_memcpy_ce")
CLOSING_NOTE = "NOTE: The reported results"
CLOSING_NOTE_SINCE = (0, 6)
"""From this version on the last lines are a note: without them the answer is cut off."""
ROUNDING = 0.006
"""Text gives two decimals: each cell, and the sum, is off by half of the last one."""

VERSION = re.compile(r"nvbandwidth Version: v?(\S+)")
CUDA = re.compile(r"CUDA (Runtime|Driver) Version(?: \(API\))?: ([0-9]{4,6}|[0-9]{1,2}\.[0-9]{1,2} \([0-9]{4,6}\))")
DRIVER = re.compile(r"Driver Version: ([0-9]+\.[0-9.]+)")
DEVICE = re.compile(r"Device ([0-9]{1,3}): (.+?)(?: \(([0-9a-f:.]+)\))?")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
PROCESS = re.compile(r"Process [0-9 ]+\(.*\): device ([0-9]{1,3}): (.+?)(?: \(([0-9a-f:.]+)\))?")
RUNNING = re.compile(r"Running ([a-z0-9_]+)\.")
WAIVED = re.compile(r"Waived:\s?(.*)")
HEADER = re.compile(r"[0-9]{1,3}(?:\s+[0-9]{1,3})*")
SUM = re.compile(r"SUM ([a-z0-9_]+) (\S+)")
PASSED_OVER = re.compile(
    r"Built from Git version:.*|MPI version:.*|Open MPI v.*|NOTE: .*|Additional system-specific tuning .*"
    r"|Performance can vary with .*|(?:Sample [0-9]+:|bandwidth:).*|(?:MIN|MAX|AVG|COEFFICIENT_OF_VARIATION) \S+ \S+"
)
FAILED = re.compile(
    r"\[?(?:CUDA|NVML)_ERROR|\[CUDA_|ERROR:|Error|Failed|.*\berror\b.*|.*Invalid value when checking", re.I
)


def parse(text: str) -> NvBandwidth:
    """Read a run as text or as JSON (`-j`).

    Raises:
        ToolFailure: the tool reports an error.
        ParseError: cut off, a line of another shape, or a sum that is not the one of its cells.
    """
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return parse_json(text)
    return parse_text(text)


@dataclass
class _Run:
    """What was read so far."""

    version: str | None = None
    runtime: str | None = None
    driver: str | None = None
    devices: list[Device] = field(default_factory=list)
    matrices: dict[str, Matrix] = field(default_factory=dict)
    waived: list[str] = field(default_factory=list)
    running: str | None = None
    """A test case that began and has no figures yet."""


def parse_text(text: str) -> NvBandwidth:
    """Read a run as text.

    Raises:
        ToolFailure: the tool reports an error.
        ParseError: cut off, a line of another shape, or a sum that is not the one of its cells.
    """
    lines = [line.strip() for line in transcript_of(TOOL, text, TOOL)]
    run = _Run()
    numbered = iter(enumerate(lines, start=1))
    for number, line in numbered:
        if not line or PASSED_OVER.fullmatch(line) or _names_the_host(line, lines[number : number + 1]):
            continue
        if description := DESCRIPTION.fullmatch(line):
            _add_matrix(run, unit_of(description[1]), numbered, line, number)
        elif not (_begins_or_waives(run, line, number) or _tells_versions(run, line, number)):
            failed = FAILED.match(line)
            if failed:
                refuse_failures(TOOL, lines)
                raise ToolFailure(TOOL, "failed", "the tool reports an error", line=line, line_number=number)
            raise ParseError(TOOL, "not a line that we know", line=line, line_number=number)
    _complete(run, lines)
    return NvBandwidth(run.version, run.runtime, run.driver, tuple(run.devices), run.matrices, tuple(run.waived))


def _names_the_host(line: str, following: list[str]) -> bool:
    """From v0.8 on the machine's name stands above the devices."""
    return HOST.fullmatch(line) is not None and bool(following) and DEVICE.fullmatch(following[0]) is not None


def _tells_versions(run: _Run, line: str, number: int) -> bool:
    if match := VERSION.fullmatch(line):
        if run.version is not None:
            raise ParseError(TOOL, "a second run", line=line, line_number=number)
        run.version = match[1]
    elif match := CUDA.fullmatch(line):
        if match[1] == "Runtime":
            run.runtime = cuda_version(match[2])
    elif match := DRIVER.fullmatch(line):
        run.driver = match[1]
    elif match := DEVICE.fullmatch(line) or PROCESS.fullmatch(line):
        run.devices.append(Device(int(match[1]), match[2], PciAddress(match[3]) if match[3] else None))
    else:
        return False
    return True


def _begins_or_waives(run: _Run, line: str, number: int) -> bool:
    if match := RUNNING.fullmatch(line):
        _none_running(run, line, number)
        run.running = match[1]
    elif match := WAIVED.fullmatch(line):
        run.waived.append(run.running or match[1])
        run.running = None
    else:
        return False
    return True


def _none_running(run: _Run, line: str, number: int | None = None) -> None:
    if run.running is not None:
        raise ParseError(TOOL, f"no figures of {run.running}", line=line, line_number=number)


def _add_matrix(run: _Run, unit: Unit, numbered: Iterator[tuple[int, str]], title: str, title_number: int) -> None:
    number, header = next(numbered, (title_number, ""))
    if not HEADER.fullmatch(header.strip()) or [int(word) for word in header.split()] != list(
        range(len(header.split()))
    ):
        raise ParseError(TOOL, "no column numbers below a title", line=header or title, line_number=number)
    rows: list[tuple[float | None, ...]] = []
    for number, line in numbered:
        words = line.split()
        if not words or words[0] != str(len(rows)):
            break
        if len(words) != len(header.split()) + 1:
            raise ParseError(TOOL, "not a row of the matrix", line=line, line_number=number)
        rows.append(tuple(_cell(word, line, number) for word in words[1:]))
    else:
        line = ""
    while not line.strip():
        number, line = next(numbered, (number, "(end)"))
    _add_sum(run, unit, tuple(rows), line, number)


def _cell(word: str, line: str, number: int) -> float | None:
    return None if word == "N/A" else number_of(TOOL, word, line, number)


def _add_sum(run: _Run, unit: Unit, cells: tuple[tuple[float | None, ...], ...], line: str, number: int) -> None:
    match = SUM.fullmatch(line)
    if match is None or not cells:
        raise ParseError(TOOL, "a matrix without rows or without SUM", line=line, line_number=number)
    name, total = match[1], number_of(TOOL, match[2], line, number)
    known = run.running or next((test for test in _several(run) if name.startswith(test)), None)
    if known is None or not name.startswith(known) or name in run.matrices:
        raise ParseError(TOOL, "a sum of another test than the one that runs", line=line, line_number=number)
    refuse_other_sum(name, cells, total, ROUNDING * (1 + sum(len(row) for row in cells)), line, number)
    run.matrices[name] = Matrix(name, unit, cells, total)
    run.running = None


def _several(run: _Run) -> list[str]:
    """Tests that may print one more matrix: those whose last one is named for a part."""
    last = next(reversed(run.matrices), "")
    return [last.rsplit("_", 1)[0]] if re.search(r"_(?:read|write)[12]$", last) else []


def _complete(run: _Run, lines: list[str]) -> None:
    _none_running(run, lines[-1], len(lines))
    if not run.matrices and not run.waived:
        raise ParseError(TOOL, "no test in the answer", line=lines[-1], line_number=len(lines))
    version = tuple(int(part) for part in re.findall(r"[0-9]{1,4}", run.version or "")[:2])
    if version >= CLOSING_NOTE_SINCE and not any(CLOSING_NOTE in line for line in lines):
        raise ParseError(TOOL, "cut off: the closing note is missing", line=lines[-1], line_number=len(lines))
    _known_devices(run, lines)


def _known_devices(run: _Run, lines: list[str]) -> None:
    indexes = [device.index for device in run.devices]
    if "Process" not in "".join(line[:7] for line in lines) and indexes != list(range(len(indexes))):
        raise ParseError(TOOL, f"devices {indexes}: one is missing or there twice", line=lines[-1])


def read(host: Host, tests: tuple[str, ...] = NEEDED, *, timeout_s: float = 600.0) -> NvBandwidth:
    """Run `tests` on all GPUs of `host`.

    Raises:
        ParseError: also where a test that was asked for is neither there nor waived.
    """
    output = run_sample(host, TOOL, " ".join(f"-t {test}" for test in tests), timeout_s=timeout_s)
    found = parse(output.stdout)
    missing = [test for test in tests if not any(name.startswith(test) for name in (*found.matrices, *found.waived))]
    if missing:
        raise ParseError(TOOL, f"no figures of {', '.join(missing)}", line=output.stdout.strip()[-200:])
    return found
