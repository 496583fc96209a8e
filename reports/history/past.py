"""What a run's page says of the runs before it: what is new since the last one, and how each figure went."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from judging.records import Verdict
from reports.history.database import Database
from reports.history.loading import rows_of
from reports.history.nights import KeptRun, SeriesKey, key_of, runs_of, surroundings_in
from reports.history.surroundings import differences, surroundings_of
from reports.history.tables import CHECKS, FIGURES, RUNS
from reports.run import Run

MOST_RUNS = 30
"""A course is as long at most."""
MOST_FIGURES_READ = 200_000
"""Of a cloud with many cards fewer runs are looked back on: the page is written at the end of every run."""
Check = tuple[str, str]
"""Id and place"""
Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Turn:
    """A check whose verdict is another one than in the run before."""

    check: str
    place: str
    before: str
    """"" where the run before did not make it"""
    now: str


@dataclass(frozen=True)
class Past:
    """Of one run; empty where there is none."""

    previous: KeptRun | None = None
    """The run before it that asked for as much"""
    worse: tuple[Turn, ...] = ()
    better: tuple[Turn, ...] = ()
    unmade: int = 0
    """Checks of the run before that this one did not make"""
    differences: tuple[str, ...] = ()
    """Of kernels, drivers, firmware, releases"""
    by_metric: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """The median of all devices in each run, this one last"""
    by_series: Mapping[SeriesKey, tuple[float, ...]] = field(default_factory=dict)

    def course_of(self, metric: str, card: str, host: str, device: str) -> tuple[float, ...]:
        """One device's figures, this run's last; empty where it has no past."""
        return self.by_series.get(key_of(metric, card, host, device), ())


NONE = Past()
"""Of a first run, or where no history can be read."""


def past_of(database: Database, run: Run) -> Past:
    """What the database has of earlier runs of this cloud.

    Raises:
        HistoryUnavailable: the database does not answer.
    """
    earlier = [kept for kept in runs_of(database, run.header.cloud) if kept.started < run.header.started]
    earlier = [kept for kept in earlier if kept.simulated == run.header.simulated]
    if not earlier:
        return NONE
    rows = rows_of(run)
    by_metric, by_series = _courses(database, earlier, rows[FIGURES])
    alike = [kept for kept in earlier if kept.whole == run.header.whole]
    if not alike:
        return Past(by_metric=by_metric, by_series=by_series)
    previous = alike[-1]
    before, now = _verdicts_in(database, previous.id), _worst(rows[CHECKS])
    turned = [Turn(*key, before.get(key, ""), now[key]) for key in sorted(now) if now[key] != before.get(key, "")]
    around = surroundings_in(database, previous.id)[previous.id]
    return Past(
        previous,
        tuple(turn for turn in turned if turn.now != Verdict.PASSED),
        tuple(turn for turn in turned if turn.now == Verdict.PASSED and turn.before),
        len(before.keys() - now.keys()),
        tuple(map(str, differences(around, surroundings_of(run)))),
        by_metric,
        by_series,
    )


def _verdicts_in(database: Database, run_id: str) -> dict[Check, str]:
    query = select(CHECKS.c.check_id, CHECKS.c.place, CHECKS.c.verdict).where(CHECKS.c.run_id == run_id)
    with database.reading() as connection:
        return _worst(dict(row._mapping) for row in connection.execute(query))


def _worst(rows: Iterable[Row]) -> dict[Check, str]:
    """One verdict for each check and place: two tests may make one check there."""
    found: dict[Check, str] = {}
    for row in rows:
        key = (row["check_id"], row["place"])
        if found.get(key, Verdict.PASSED) == Verdict.PASSED:
            found[key] = row["verdict"]
    return found


def _courses(
    database: Database, earlier: Sequence[KeptRun], tonight: Sequence[Row]
) -> tuple[dict[str, tuple[float, ...]], dict[SeriesKey, tuple[float, ...]]]:
    count = min(MOST_RUNS, MOST_FIGURES_READ // max(1, len(tonight))) - 1
    ids = [kept.id for kept in earlier[-count:]] if count > 0 else []
    columns = [FIGURES.c[name] for name in ("metric", "card", "host", "device", "median")]
    query = select(*columns).join(RUNS).where(FIGURES.c.run_id.in_(ids)).order_by(RUNS.c.started, RUNS.c.id)
    by_run: dict[str, dict[str, list[float]]] = {}
    series: dict[SeriesKey, list[float]] = {}
    wanted = {_key(row) for row in tonight}
    with database.reading() as connection:
        for found in connection.execute(query.add_columns(FIGURES.c.run_id)):
            row: Row = dict(found._mapping)
            by_run.setdefault(row["run_id"], {}).setdefault(row["metric"], []).append(row["median"])
            if (key := _key(row)) in wanted:
                series.setdefault(key, []).append(row["median"])
    by_run[""] = {}
    for figure in tonight:
        by_run[""].setdefault(figure["metric"], []).append(figure["median"])
        if _key(figure) in series:
            series[_key(figure)].append(figure["median"])
    courses = {
        metric: tuple(statistics.median(found[metric]) for found in by_run.values() if metric in found)
        for metric in by_run[""]
    }
    return (
        {metric: course for metric, course in courses.items() if len(course) > 1},
        {key: tuple(course) for key, course in series.items()},
    )


def _key(row: Row) -> SeriesKey:
    return key_of(row["metric"], row["card"], row["host"], row["device"])
