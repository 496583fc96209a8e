"""bandwidthTest of the CUDA samples (up to CUDA 12.9): quick, range and shmoo mode, as tables or --csv."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from access.errors import ParseError
from access.host import Host
from probes.cuda_samples import refuse_failures, run_sample
from probes.reading import is_call, transcript_of

TOOL = "bandwidthTest"
START = re.compile(r"\s*\[(?:CUDA Bandwidth Test|bandwidthTest)\] (?:- Starting|starting)\.\.\.")
DEVICE = re.compile(r"\s*Device ([0-9]{1,3}): (\S.{0,200})")
MODE = re.compile(r"\s*(Quick|Range|Shmoo) Mode")
CUMULATIVE = re.compile(r"\s*!!!!!Cumulative Bandwidth to be computed from all the devices !!!!!!")
TITLE = re.compile(r"\s*(Host to Device|Device to Host|Device to Device) Bandwidth, ([0-9]{1,3}) Device\(s\)(?:, .*)?")
DIRECTION = {"Host to Device": "h2d", "Device to Host": "d2h", "Device to Device": "d2d"}
MEMORY = re.compile(
    r"\s*(PINNED|PAGEABLE|Pinned|Paged|Pageable|Write-Combined)\b.* Transfers"
    r"|\s*Write-Combined Memory Writes are Enabled"
)
SPACE = r"(?:\s|>-{0,3})+"
"""Tabs, also as editors show them."""
COLUMNS = re.compile(rf"\s*Transfer Size \(Bytes\){SPACE}Bandwidth\((GB/s|MB/s)\)")
ROW = re.compile(rf"\s*([0-9]{{1,12}}){SPACE}([0-9]{{1,9}}(?:\.[0-9]{{1,6}})?)")
CSV = re.compile(
    r"\s*bandwidthTest-(H2D|D2H|D2D)(?:-(Pinned|Paged))?(?:-WriteCombined)?, Bandwidth = ([0-9.]{1,16}) (GB/s|MB/s), "
    r"Time = [0-9.]{1,16} s, Size = ([0-9]{1,12}) bytes, NumDevsUsed = ([0-9]{1,3})"
)
PASSED = re.compile(r"\s*(?:Result = PASS|PASSED)")
PASSED_OVER = re.compile(
    r"\s*(?:Running on\.\.\.|\.{2,200}|NOTE: The CUDA Samples .*|\[bandwidthTest\] (?:- )?[Tt]est results.*|running /.*"
    r"|.{0,200}bandwidthTest(?:\.exe)? Starting\.\.\.|Note: .*|> exiting in .*)"
)
GB_PER_S = {"GB/s": 1.0, "MB/s": 2**20 / 1e9}
"""GB/s means 10^9 bytes; the MB/s of versions before CUDA 10.1 means 2^20."""


@dataclass(frozen=True)
class Point:
    """One measurement."""

    size_bytes: int
    printed: float
    """As printed, in `unit`."""
    unit: str
    """GB/s or MB/s."""

    @property
    def gb_per_s(self) -> float:
        """In 10^9 bytes a second, whatever the unit."""
        return self.printed * GB_PER_S[self.unit]


@dataclass(frozen=True)
class Series:
    """One direction's measurements, by rising size."""

    direction: str
    """h2d, d2h or d2d."""
    memory: str | None
    """pinned or pageable memory of the host; None if unknown."""
    device_count: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class BandwidthTest:
    """One run."""

    devices: dict[int, str]
    """Index → name. More than one: the figures are their sums."""
    mode: str
    """quick, range or shmoo."""
    is_cumulative: bool
    """Whether it ran with --device=all."""
    series: dict[str, Series]
    """By direction; only those that were asked for."""

    @property
    def gb_per_s(self) -> dict[str, float]:
        """Bandwidth by direction (h2d, d2h, d2d), at the largest size."""
        return {direction: series.points[-1].gb_per_s for direction, series in self.series.items()}


@dataclass
class _Run:
    devices: dict[int, str] = field(default_factory=dict)
    mode: str = ""
    is_cumulative: bool = False
    series: dict[str, Series] = field(default_factory=dict)
    title: tuple[str, int] | None = None
    """Direction and devices of the table that is being read."""
    memory: str | None = None
    unit: str | None = None
    is_passed: bool = False


def parse(text: str) -> BandwidthTest:
    """Read one passing run.

    Raises:
        ToolFailure: CUDA returned an error, or the result is FAIL.
        ParseError: cut off, more than one run, or a line of another shape.
    """
    runs = parse_runs(text)
    if len(runs) != 1:
        raise ParseError(TOOL, f"{len(runs)} runs in one answer", line=text.strip()[:200])
    return runs[0]


def parse_runs(text: str) -> tuple[BandwidthTest, ...]:
    """Read passing runs, one below the other.

    Raises:
        ToolFailure: CUDA returned an error, or a result is FAIL.
        ParseError: cut off, or a line of another shape.
    """
    lines = transcript_of(TOOL, text, TOOL)
    refuse_failures(TOOL, lines)
    starts = [number for number, line in enumerate(lines) if START.fullmatch(line)]
    if not starts or _has_more(lines[: starts[0]]):
        starts.insert(0, 0)
    numbered = list(enumerate(lines, start=1))
    return tuple(_run(numbered[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=True))


def _has_more(before: list[str]) -> bool:
    """Whether a run whose first lines are lost stands above the first whole one."""
    return any(DEVICE.fullmatch(line) or MODE.fullmatch(line) for line in before)


def _run(numbered: list[tuple[int, str]]) -> BandwidthTest:
    run = _Run()
    for number, line in numbered:
        if not line.strip() or START.fullmatch(line) or PASSED_OVER.fullmatch(line) or is_call(line, TOOL):
            continue
        if not (_heading(run, line) or _table(run, line, number)):
            raise ParseError(TOOL, "not a line that we know", line=line, line_number=number)
    last_number, last = numbered[-1]
    if not run.is_passed:
        raise ParseError(TOOL, "cut off: no Result = PASS", line=last, line_number=last_number)
    if not run.devices or not run.mode or not run.series or (run.title and run.title[0] not in run.series):
        raise ParseError(TOOL, "no device, no mode or no figures", line=last, line_number=last_number)
    _plausible(run, last, last_number)
    return BandwidthTest(run.devices, run.mode, run.is_cumulative, run.series)


def _heading(run: _Run, line: str) -> bool:
    if match := DEVICE.fullmatch(line):
        run.devices[int(match[1])] = match[2]
    elif match := MODE.fullmatch(line):
        run.mode = match[1].lower()
    elif CUMULATIVE.fullmatch(line):
        run.is_cumulative = True
    elif PASSED.fullmatch(line):
        run.is_passed = True
    else:
        return False
    return True


def _table(run: _Run, line: str, number: int) -> bool:
    if match := TITLE.fullmatch(line):
        if run.title and run.title[0] not in run.series:
            raise ParseError(TOOL, f"no figures of {run.title[0]}", line=line, line_number=number)
        run.title, run.memory, run.unit = (DIRECTION[match[1]], int(match[2])), None, None
        if run.title[0] in run.series:
            raise ParseError(TOOL, "a direction twice", line=line, line_number=number)
    elif match := MEMORY.fullmatch(line):
        run.memory = ("pinned" if match[1].lower() == "pinned" else "pageable") if match[1] else run.memory
    elif match := COLUMNS.fullmatch(line):
        run.unit = match[1]
    elif match := ROW.fullmatch(line):
        if run.title is None or run.unit is None:
            raise ParseError(TOOL, "a figure without direction or unit", line=line, line_number=number)
        _add(run, run.title, run.memory, Point(int(match[1]), float(match[2]), run.unit), line, number)
    elif match := CSV.fullmatch(line):
        memory = {"Pinned": "pinned", "Paged": "pageable", None: None}[match[2]]
        if not re.fullmatch(r"[0-9]+\.[0-9]+", match[3]):
            raise ParseError(TOOL, "no figure", line=line, line_number=number)
        point = Point(int(match[5]), float(match[3]), match[4])
        _add(run, (match[1].lower(), int(match[6])), memory, point, line, number)
    else:
        return False
    return True


def _add(run: _Run, title: tuple[str, int], memory: str | None, point: Point, line: str, number: int) -> None:
    known = run.series.get(title[0])
    points: Iterable[Point] = known.points if known else ()
    last = known.points[-1] if known else None
    if last is not None and (last.size_bytes >= point.size_bytes or last.unit != point.unit):
        raise ParseError(TOOL, "sizes that do not rise", line=line, line_number=number)
    run.series[title[0]] = Series(title[0], memory, title[1], (*points, point))


def _plausible(run: _Run, last: str, number: int) -> None:
    several = {name: len(series.points) for name, series in run.series.items()}
    if run.mode == "quick" and set(several.values()) != {1}:
        raise ParseError(TOOL, f"{several} figures in quick mode", line=last, line_number=number)
    if len(set(several.values())) > 1:
        raise ParseError(TOOL, f"directions with different sizes: {several}", line=last, line_number=number)
    if {series.device_count for series in run.series.values()} != {len(run.devices)}:
        raise ParseError(
            TOOL, f"figures of another number of devices than {len(run.devices)}", line=last, line_number=number
        )


def read(host: Host, device: int, *, path: str = "") -> BandwidthTest:
    """Measure one device of `host` in quick mode; `path` is the program's, where it is known.

    Raises:
        ParseError: also where a direction is missing, or another device was measured.
    """
    found = parse(run_sample(host, TOOL, f"--device={device}", path=path).stdout)
    missing = set(DIRECTION.values()) - set(found.series)
    if missing:
        raise ParseError(TOOL, f"no figure for {', '.join(sorted(missing))}")
    if list(found.devices) != [device]:
        raise ParseError(TOOL, f"device {device} was asked for", line=str(found.devices))
    return found
