"""How long runs of a cloud usually take: said before one begins."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime

from reports.history.nights import KeptRun

MOST_RUNS = 5


def usual_time(runs: Sequence[KeptRun]) -> str:
    """E.g. about 2 min 20 s, as the last 5 whole runs; "" where there was none.

    `runs` are those of one cloud, the oldest first. Parts of the suites say nothing of the whole.
    """
    found = [seconds for run in runs if run.whole and (seconds := _seconds(run)) is not None][-MOST_RUNS:]
    if not found:
        return ""
    minutes, rest = divmod(round(statistics.median(found)), 60)
    last = "the last whole run" if len(found) == 1 else f"the last {len(found)} whole runs"
    return f"about {f'{minutes} min ' if minutes else ''}{rest} s, as {last}"


def _seconds(run: KeptRun) -> float | None:
    """None of a run that was cut off, or whose moments are none or in no order."""
    try:
        found = (datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.started)).total_seconds()
    except (ValueError, TypeError):
        return None
    return found if found > 0 else None
