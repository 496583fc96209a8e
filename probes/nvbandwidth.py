"""nvbandwidth: bandwidth and latency by copy engine (ce) and by kernel (sm), as text or as JSON.

https://github.com/NVIDIA/nvbandwidth
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from access.errors import ParseError, ToolFailure
from access.host import Host
from probes.cuda_samples import run_sample
from probes.pci_address import PciAddress
from probes.reading import bounded, number_of, transcript_of

TOOL = "nvbandwidth"
NEEDED = ("host_to_device_memcpy_ce", "device_to_host_memcpy_ce")
CLOSING_NOTE = "NOTE: The reported results"
CLOSING_NOTE_SINCE = (0, 6)
"""From this version on the last lines are a note: without them the answer is cut off."""
ROUNDING = 0.006
"""Text gives two decimals: each cell, and the sum, is off by half of the last one."""
ROUNDING_JSON = 1e-5
"""JSON gives six digits."""

VERSION = re.compile(r"nvbandwidth Version: v?(\S+)")
CUDA = re.compile(r"CUDA (Runtime|Driver) Version(?: \(API\))?: ([0-9]{4,6}|[0-9]{1,2}\.[0-9]{1,2} \([0-9]{4,6}\))")
DRIVER = re.compile(r"Driver Version: ([0-9]+\.[0-9.]+)")
DEVICE = re.compile(r"Device ([0-9]{1,3}): (.+?)(?: \(([0-9a-f:.]+)\))?")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
PROCESS = re.compile(r"Process [0-9 ]+\(.*\): device ([0-9]{1,3}): (.+?)(?: \(([0-9a-f:.]+)\))?")
RUNNING = re.compile(r"Running ([a-z0-9_]+)\.")
WAIVED = re.compile(r"Waived:\s?(.*)")
DESCRIPTION = re.compile(r".*\((GB/s|ns)\)")
HEADER = re.compile(r"[0-9]{1,3}(?:\s+[0-9]{1,3})*")
SUM = re.compile(r"SUM ([a-z0-9_]+) (\S+)")
PASSED_OVER = re.compile(
    r"Built from Git version:.*|MPI version:.*|Open MPI v.*|NOTE: .*|Additional system-specific tuning .*"
    r"|Performance can vary with .*|(?:Sample [0-9]+:|bandwidth:).*|(?:MIN|MAX|AVG|COEFFICIENT_OF_VARIATION) \S+ \S+"
)
FAILED = re.compile(
    r"\[?(?:CUDA|NVML)_ERROR|\[CUDA_|ERROR:|Error|Failed|.*\berror\b.*|.*Invalid value when checking", re.I
)

Unit = Literal["GB/s", "ns"]


@dataclass(frozen=True)
class Device:
    """One GPU as nvbandwidth names it."""

    index: int
    name: str
    address: PciAddress | None
    """None in versions that print none."""


@dataclass(frozen=True)
class Matrix:
    """One table of figures."""

    name: str
    """Name of the test case, e.g. host_to_device_memcpy_ce; a test that prints several has them as _read1, _total…"""
    unit: Unit
    """GB/s is 10^9 bytes in a second."""
    cells: tuple[tuple[float | None, ...], ...]
    """Row by row; a test between host and GPUs has one row, with a column for each GPU. None if N/A is printed."""
    total: float
    """What the tool calls SUM."""


@dataclass(frozen=True)
class NvBandwidth:
    """One run."""

    version: str | None
    """Of nvbandwidth, e.g. "0.6"; None if the run does not print it."""
    cuda_runtime_version: str | None
    """E.g. "12.4"."""
    driver_version: str | None
    devices: tuple[Device, ...]
    """Empty in JSON, and where the version prints none."""
    matrices: dict[str, Matrix]
    """By name."""
    waived: tuple[str, ...]
    """Tests that this machine cannot run, e.g. copies between GPUs where there is one; "" where no name is printed."""

    def per_device(self, name: str) -> tuple[float | None, ...]:
        """Figures of a test between host and GPUs, in the order of the GPUs.

        Raises:
            ParseError: the test did not run, or is one between GPUs.
        """
        matrix = self.matrices.get(name)
        if matrix is None or len(matrix.cells) != 1:
            reason = "no such test in the answer" if matrix is None else "not a test with a figure for each GPU"
            raise ParseError(TOOL, reason, line=name)
        return matrix.cells[0]


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
            _add_matrix(run, _unit(description[1]), numbered, line, number)
        elif not (_begins_or_waives(run, line, number) or _tells_versions(run, line, number)):
            failed = FAILED.match(line)
            if failed:
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
            run.runtime = _cuda_version(match[2])
    elif match := DRIVER.fullmatch(line):
        run.driver = match[1]
    elif match := DEVICE.fullmatch(line) or PROCESS.fullmatch(line):
        run.devices.append(Device(int(match[1]), match[2], PciAddress(match[3]) if match[3] else None))
    else:
        return False
    return True


def _cuda_version(text: str) -> str:
    """12040 and "12.4 (12040)" both mean 12.4."""
    digits = int(text.split("(")[-1].rstrip(")"))
    return f"{digits // 1000}.{digits % 1000 // 10}"


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


def _unit(text: str) -> Unit:
    return "ns" if text == "ns" else "GB/s"


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
    _fits(name, cells, total, ROUNDING * (1 + sum(len(row) for row in cells)), line, number)
    run.matrices[name] = Matrix(name, unit, cells, total)
    run.running = None


def _several(run: _Run) -> list[str]:
    """Tests that may print one more matrix: those whose last one is named for a part."""
    last = next(reversed(run.matrices), "")
    return [last.rsplit("_", 1)[0]] if re.search(r"_(?:read|write)[12]$", last) else []


def _fits(
    name: str,
    cells: tuple[tuple[float | None, ...], ...],
    total: float,
    tolerance: float,
    line: str,
    number: int | None,
) -> None:
    added = sum(cell or 0.0 for row in cells for cell in row)
    if abs(added - total) > tolerance:
        raise ParseError(TOOL, f"the cells of {name} add up to {added:.2f}", line=line, line_number=number)


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


def parse_json(text: str) -> NvBandwidth:
    """Read a run as JSON.

    Raises:
        ToolFailure: it holds an error, or a test that failed.
        ParseError: no JSON, another shape, or a sum that is not the one of its cells.
    """
    root = _load(text)
    if "error" in root:
        raise ToolFailure(TOOL, "failed", "the tool reports an error", line=str(root["error"]))
    tests = root.get("testcases")
    if not isinstance(tests, list) or not tests:
        raise ParseError(TOOL, "no testcases in the answer", line=text[:200])
    matrices: dict[str, Matrix] = {}
    waived: list[str] = []
    for test in tests:
        name = str(test.get("name", "")) if isinstance(test, dict) else ""
        if not name or name in matrices or name in waived:
            raise ParseError(TOOL, "a testcase without name, or twice", line=str(test))
        if test.get("status") == "Waived":
            waived.append(name)
        else:
            matrices[name] = _json_matrix(name, test)
    runtime = root.get("CUDA Runtime Version")
    version = _text(root, "version") or _text(root, "git_version")
    return NvBandwidth(
        version.removeprefix("v") if version else None,
        _json_cuda(runtime),
        _text(root, "Driver Version"),
        (),
        matrices,
        tuple(waived),
    )


def _load(text: str) -> dict[str, Any]:
    try:
        data = json.loads(bounded(TOOL, text).strip("\ufeff"))
    except ValueError as error:
        at = getattr(error, "pos", 0)
        raise ParseError(TOOL, f"no JSON: {error}"[:200], line=text[max(0, at - 80) : at + 80]) from error
    except RecursionError as error:
        raise ParseError(TOOL, "JSON that is nested too deep", line=text[:80]) from error
    root = data.get("nvbandwidth") if isinstance(data, dict) else None
    if not isinstance(root, dict):
        raise ParseError(TOOL, "no object nvbandwidth in the answer", line=text[:200])
    return root


def _text(root: dict[str, Any], key: str) -> str | None:
    value = root.get(key)
    if value is not None and not isinstance(value, str):
        raise ParseError(TOOL, f"{key} is no text", line=repr(value))
    return value or None


def _json_cuda(value: Any) -> str | None:
    if value is None:
        return None
    text = str(value)
    if not re.fullmatch(r"[0-9]{4,6}|[0-9]{1,2}\.[0-9]{1,2} \([0-9]{4,6}\)", text):
        raise ParseError(TOOL, "CUDA Runtime Version is no version", line=text)
    return _cuda_version(text)


def _json_matrix(name: str, test: dict[str, Any]) -> Matrix:
    if test.get("status") != "Passed":
        raise ToolFailure(TOOL, "test-failed", f"{name} has status {test.get('status')}", line=str(test))
    rows, description = test.get("bandwidth_matrix"), test.get("bandwidth_description")
    total: Any = test.get("sum")
    unit = DESCRIPTION.fullmatch(description.strip()) if isinstance(description, str) else None
    if not isinstance(rows, list) or not rows or unit is None or not _is_figure(total):
        raise ParseError(TOOL, f"{name} without matrix, description or sum", line=str(test))
    cells = tuple(tuple(_json_cell(cell) for cell in row) if isinstance(row, list) else () for row in rows)
    if not cells[0] or any(len(row) != len(cells[0]) for row in cells):
        raise ParseError(TOOL, f"the matrix of {name} is not rectangular", line=str(rows))
    largest = max((abs(cell or 0.0) for row in cells for cell in row), default=0.0)
    _fits(name, cells, float(total), ROUNDING_JSON * largest * len(cells) * len(cells[0]) + 1e-9, str(test), None)
    return Matrix(name, _unit(unit[1]), cells, float(total))


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18


def _json_cell(cell: Any) -> float | None:
    return None if cell == "N/A" else number_of(TOOL, str(cell), repr(cell), 0)


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
