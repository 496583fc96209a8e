"""gpu_burn: multiplies matrices and compares the results. Its exit code means nothing; idle GPUs are OK, too.

https://github.com/wilicc/gpu-burn
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError, ToolFailure
from access.host import Host
from probes.cuda_samples import path_of, refuse_failures, run_sample
from probes.reading import transcript_of

TOOL = "gpu_burn"
NAMES = (TOOL, "gpu-burn")
"""Upstream's name and Debian's."""
MARGIN_S = 300.0
"""Initialising and ending take time beside the burning itself."""
GPU = re.compile(r"\s*GPU ([0-9]{1,2}): (.{1,200}) \(UUID: (GPU-[0-9a-f-]{1,40})\)")
DURATION = re.compile(r"\s*Burning for ([0-9]{1,7}) seconds\.?")
PROGRESS = re.compile(
    r"\s*([0-9]{1,3}\.[0-9]+)%\s+proc'd: (.{1,4000}?)\s+errors: (.{1,2000}?)\s+temps: (.{1,2000}?)\s*"
)
PROCESSED = re.compile(r"(-?[0-9]{1,12}) \(([0-9]{1,9}(?:\.[0-9]+)?) Gflop/s\)")
ERRORS = re.compile(r"(-?[0-9]{1,18})\s{0,4}(\(WARNING!\)|\(DIED!\))?")
TEMPERATURE = re.compile(r"(-?[0-9]{1,3}) C|--")
SEPARATOR = re.compile(r" [-/] ")
TESTED = re.compile(r"\s*Tested ([0-9]{1,2}) GPUs:")
VERDICT = re.compile(r"\s*GPU ([0-9]{1,2}): (OK|FAULTY)")
FAILED = re.compile(
    r"(?:Couldn't (?:init|get|find|load|open|read)|No CUDA devices|No clients are alive!|Error\b|Failed )"
    r"|Error in \"|gpu_burn\)?:? .{0,40}not found|invalid device ordinal",
    re.I,
)
PASSED_OVER = re.compile(
    r"(?:Run length not specified|Using compare file: |Initialized device |Results are |Summary at:|Killing processes"
    r"|Freed memory for dev|Uninitted cublas$|done$|cuInit returned 0 \(no error\)$|Device [0-9]{1,2}:|[0-9.]{1,6}%$)"
)


@dataclass(frozen=True)
class BurnedGpu:
    """One GPU."""

    index: int
    name: str | None
    """None if the version prints none."""
    uuid: str | None
    verdict: str
    """OK or FAULTY, as the tool says."""
    products: int
    """Products of matrices that it computed; 0 means that it did nothing, whatever the verdict."""
    gflop_per_s: float
    """Rate of the last step that computed something."""
    errors: int
    """Wrong elements, at most in one step."""
    has_died: bool
    temperature_c: float | None
    """The highest that was seen."""

    @property
    def is_sound(self) -> bool:
        """Whether it computed, and all of it was right."""
        return self.verdict == "OK" and self.products > 0 and self.errors == 0 and not self.has_died


@dataclass(frozen=True)
class GpuBurn:
    """One run."""

    duration_s: int | None
    """None if the version prints none (before 2023)."""
    gpus: tuple[BurnedGpu, ...]


@dataclass(frozen=True)
class _Step:
    products: list[tuple[int, float]]
    errors: list[tuple[int, bool]]
    temperatures: list[float | None]


def parse(text: str) -> GpuBurn:
    """Read a run that came to its end; progress may be separated by carriage returns.

    Raises:
        ToolFailure: it could not start, or no GPU was left; of kind nothing-computed when it came to its end before a
            GPU had filled its memory with products once (on large cards ten seconds and more).
        ParseError: cut off, a line of another shape, or verdicts that contradict the errors.
    """
    lines = transcript_of(TOOL, text, TOOL)
    steps: list[_Step] = []
    for number, line in enumerate(lines, start=1):
        if match := PROGRESS.fullmatch(line):
            steps.append(_step(match, line, number))
        elif not line.strip() or PASSED_OVER.match(line.lstrip()) or _is_other(line):
            continue
        elif FAILED.search(line):
            refuse_failures(TOOL, lines)
            raise ToolFailure(TOOL, "failed", "it could not test", line=line, line_number=number)
        else:
            raise ParseError(TOOL, "not a line that we know", line=line, line_number=number)
    return _result(lines, steps)


def _is_other(line: str) -> bool:
    return any(shape.fullmatch(line) for shape in (GPU, DURATION, TESTED, VERDICT))


def _step(match: re.Match[str], line: str, number: int) -> _Step:
    processed = [PROCESSED.fullmatch(part.strip()) for part in SEPARATOR.split(match[2])]
    errors = [ERRORS.fullmatch(part.strip()) for part in SEPARATOR.split(match[3])]
    temperatures = [TEMPERATURE.fullmatch(part.strip()) for part in SEPARATOR.split(match[4])]
    if None in processed or None in errors or None in temperatures or len(processed) != len(errors):
        raise ParseError(TOOL, "not a line of progress", line=line, line_number=number)
    return _Step(
        [(int(part[1]), float(part[2])) for part in processed if part],
        [(int(part[1]), part[2] == "(DIED!)") for part in errors if part],
        [float(part[1]) if part[1] else None for part in temperatures if part],
    )


def _result(lines: list[str], steps: list[_Step]) -> GpuBurn:
    durations = [int(match[1]) for line in lines if (match := DURATION.fullmatch(line))]
    tested = [int(match[1]) for line in lines if (match := TESTED.fullmatch(line))]
    verdicts = [(int(match[1]), match[2]) for line in lines if (match := VERDICT.fullmatch(line))]
    last = lines[-1]
    if len(set(durations)) > 1 or len(tested) != 1:
        raise ParseError(TOOL, "cut off, or two runs: not one verdict", line=last, line_number=len(lines))
    if not steps:
        reason = "it ended before it had computed anything, and OK means nothing"
        raise ToolFailure(
            TOOL, "nothing-computed", reason, line=last, line_number=len(lines), remedy="let it run longer"
        )
    if tested[0] != len(verdicts) or len({index for index, _ in verdicts}) != len(verdicts):
        raise ParseError(TOOL, f"{tested[0]} GPUs tested, {len(verdicts)} verdicts", line=last, line_number=len(lines))
    if any(len(step.products) != tested[0] for step in steps):
        raise ParseError(TOOL, f"progress of another number of GPUs than {tested[0]}", line=last)
    named = {int(match[1]): match for line in lines if (match := GPU.fullmatch(line))}
    gpus = tuple(
        _gpu(place, index, verdict, named.get(index), steps) for place, (index, verdict) in enumerate(verdicts)
    )
    wrong = [gpu for gpu in gpus if gpu.verdict == "OK" and (gpu.errors or gpu.has_died)]
    if wrong:
        raise ParseError(TOOL, f"OK and {wrong[0].errors} errors", line=f"GPU {wrong[0].index}: OK")
    return GpuBurn(durations[0] if durations else None, gpus)


def _gpu(place: int, index: int, verdict: str, named: re.Match[str] | None, steps: list[_Step]) -> BurnedGpu:
    products = [step.products[place] for step in steps]
    errors = [step.errors[place] for step in steps]
    warm = [step.temperatures[place] for step in steps if place < len(step.temperatures)]
    return BurnedGpu(
        index,
        named[2] if named else None,
        named[3] if named else None,
        verdict,
        max(max(count for count, _ in products), 0),
        next((rate for _, rate in reversed(products) if rate > 0), 0.0),
        max(max(count for count, _ in errors), 0),
        any(died for _, died in errors),
        max((degrees for degrees in warm if degrees is not None), default=None),
    )


def read(host: Host, duration_s: int = 60) -> GpuBurn:
    """Burn all GPUs of `host`, from the program's own folder: upstream's looks there for its compare.ptx."""
    path = path_of(host, *NAMES)
    run = run_sample(
        host, TOOL, str(duration_s), timeout_s=duration_s + MARGIN_S, path=path, folder=f'"$(dirname {path})"'
    )
    return parse(run.stdout)
