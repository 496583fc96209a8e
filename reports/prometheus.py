"""The last run of a cloud as a text file for Prometheus: node_exporter's textfile collector serves it, alerts read it.

No label holds a run's id: each night would make series of its own. What a run was is in `gpu_acceptance_info`.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from access.terminal import printable
from judging.outcome import Outcome
from judging.records import Verdict
from reports.run import Run

BASE_UNITS = {
    "GB/s": ("bytes_per_second", 1e9),
    "us": ("seconds", 1e-6),
    "ns": ("seconds", 1e-9),
    "ms": ("seconds", 1e-3),
}
"""Prometheus counts in bytes and seconds; a GB of our figures is 10^9 bytes."""


@dataclass(frozen=True)
class _Sample:
    labels: Mapping[str, str]
    value: float


def prometheus(run: Run) -> bytes:
    """The file's bytes."""
    lines = [line for name, help_text, samples in _families(run) for line in _shown(name, help_text, run, samples)]
    return ("\n".join(lines) + "\n").encode("utf-8", errors="replace")


def _families(run: Run) -> Iterator[tuple[str, str, list[_Sample]]]:
    header, end = run.header, run.end
    about = {
        "suite_version": header.suite_version,
        "suite_commit": header.suite_commit,
        "whole": str(header.whole).lower(),
        "simulated": str(run.simulated).lower(),
    }
    yield "info", "What the last run was.", [_Sample(about, 1)]
    outcomes = [_Sample({"outcome": str(outcome)}, outcome is run.outcome) for outcome in Outcome]
    yield "outcome", "1 for what the last run came to, 0 for the others.", outcomes
    yield "started_timestamp_seconds", "When the last run began.", _moment(header.started)
    yield "ended_timestamp_seconds", "When it ended; absent where it was cut off.", _moment(end.ended if end else "")
    verdicts = [_Sample({"verdict": str(each)}, sum(check.verdict is each for check in run.checks)) for each in Verdict]
    yield "checks", "Checks of the last run by verdict.", verdicts
    yield "check_failed", "1 for each check that failed, with its cause.", _failed(run)
    yield from _figures(run)


def _failed(run: Run) -> list[_Sample]:
    found = {
        (check.id, check.place, check.cause): None for check in run.checks if check.verdict is Verdict.FAILED
    }  # a check may fail twice in a place; a series stands once
    return [_Sample({"check": check, "place": place, "cause": cause}, 1) for check, place, cause in found]


def _figures(run: Run) -> Iterator[tuple[str, str, list[_Sample]]]:
    """Medians over the repetitions of each card or pair."""
    values: dict[str, dict[tuple[str, str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for check in run.checks:
        for item in check.measurements:
            suffix, factor = BASE_UNITS.get(item.unit, (item.unit, 1.0))
            family = _plain(f"{item.metric}_{suffix}".rstrip("_"))
            values[family][item.host, item.device, item.card].append(item.value * factor)
    for family, devices in sorted(values.items()):
        samples = [
            _Sample({"host": host, "device": device, "card": card}, median(found))
            for (host, device, card), found in devices.items()
        ]
        yield family, "Median over the repetitions of the last run, by card or pair.", samples


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", name.lower())


def _moment(text: str) -> list[_Sample]:
    try:
        return [_Sample({}, datetime.fromisoformat(text).timestamp())]
    except ValueError:
        return []


def _shown(name: str, help_text: str, run: Run, samples: Iterable[_Sample]) -> Iterator[str]:
    family = f"gpu_acceptance_{name}"
    yield f"# HELP {family} {help_text}"
    yield f"# TYPE {family} gauge"
    for sample in samples:
        labels = ",".join(
            f'{key}="{_quoted(value)}"' for key, value in {"cloud": run.header.cloud, **sample.labels}.items()
        )
        yield f"{family}{{{labels}}} {float(sample.value)!r}"


def _quoted(value: str) -> str:
    """A label's value; what a host says has no control characters in it."""
    return printable(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
