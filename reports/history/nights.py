"""Figures of one metric of one card, night by night."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, select

from reports.history.database import Database
from reports.history.surroundings import Surroundings
from reports.history.tables import FIGURES, RUNS, SURROUNDINGS


@dataclass(frozen=True)
class SeriesKey:
    """Whose figures: a card's by its UUID wherever it sits, else those of a host's device."""

    metric: str
    card: str
    """UUID, or both of a pair; "" where not known: then host and device are given."""
    host: str = ""
    device: str = ""


def key_of(metric: str, card: str, host: str, device: str) -> SeriesKey:
    """The series that a figure belongs to."""
    return SeriesKey(metric, card) if card else SeriesKey(metric, "", host, device)


@dataclass(frozen=True)
class Night:
    """One date's figure: the median of its runs."""

    date: str
    """ISO 8601, UTC."""
    value: float
    run_id: str
    """The last run of that date."""


@dataclass(frozen=True)
class KeptRun:
    """A run as the database has it."""

    id: str
    cloud: str
    simulated: bool
    whole: bool
    started: str
    ended: str
    outcome: str
    exit_code: int | None


class Nights(Sequence[Night]):
    """The nights of one series as two numbers each: a year of a thousand hosts is ten millions of them."""

    def __init__(self, runs: Sequence[KeptRun], places: NDArray[np.int32], figures: NDArray[np.float64]) -> None:
        self._runs = runs
        self._places = places
        """Of each night's last run in `runs`."""
        self.figures = figures

    def __len__(self) -> int:
        return len(self.figures)

    @overload
    def __getitem__(self, index: int) -> Night: ...

    @overload
    def __getitem__(self, index: slice) -> Nights: ...

    def __getitem__(self, index: int | slice) -> Night | Nights:
        if isinstance(index, slice):
            return Nights(self._runs, self._places[index], self.figures[index])
        run = self._runs[self._places[index]]
        return Night(run.started[:10], float(self.figures[index]), run.id)


@dataclass(frozen=True)
class Series:
    """All nights of one metric of one card."""

    key: SeriesKey
    unit: str
    direction: str
    host: str
    """Where it was measured last."""
    device: str
    nights: Sequence[Night]

    @property
    def values(self) -> list[float]:
        """Figures in order of time."""
        if isinstance(self.nights, Nights):
            return list(self.nights.figures.tolist())
        return [night.value for night in self.nights]

    @property
    def name(self) -> str:
        """For people: the card and where it was measured last."""
        place = f"{self.host} card {self.device}"
        return f"{self.key.card} ({place})" if self.key.card else place


def runs_of(database: Database, cloud: str | None = None) -> list[KeptRun]:
    """All runs, the oldest first."""
    columns = [RUNS.c[name] for name in KeptRun.__dataclass_fields__]
    query = select(*columns).order_by(RUNS.c.started, RUNS.c.id)
    if cloud is not None:
        query = query.where(RUNS.c.cloud == cloud)
    with database.reading() as connection:
        return [KeptRun(*row) for row in connection.execute(query)]


def series_of(
    database: Database,
    cloud: str,
    *,
    since: str = "",
    before: str = "",
    without: Collection[tuple[str, str]] = (),
) -> list[Series]:
    """All series of a cloud, by metric and card.

    Of runs that started from `since` on and before `before` (ISO 8601), `without` some runs' hosts.
    """
    runs = [run for run in runs_of(database, cloud) if run.started >= since and not (before and run.started >= before)]
    table = _Table()
    with database.reading() as connection:
        for place, run in enumerate(runs):
            table.add(place, run.id, connection.execute(_FIGURES_OF, {"run": run.id}).all(), without)
        parts = table.parts()
        last_runs = sorted({runs[int(places[-1])].id for places, _ in parts})
        last = {run: _last(connection.execute(_LAST_OF, {"run": run}).all()) for run in last_runs}
    dates = {date: number for number, date in enumerate(dict.fromkeys(run.started[:10] for run in runs))}
    of_run = np.array([dates[run.started[:10]] for run in runs], dtype=np.int64)
    found = []
    for key, (places, figures) in zip(table.keys, parts, strict=True):
        facts = last[runs[int(places[-1])].id][key]
        nights = Nights(runs, *_by_night(of_run[places], places, figures))
        found.append(Series(key, facts.unit, facts.direction, facts.host, facts.device, nights))
    return sorted(found, key=lambda each: (each.key.metric, each.key.card, each.key.host, each.key.device))


_OF_RUN = FIGURES.c.run_id == bindparam("run")
_KEY = (FIGURES.c.metric, FIGURES.c.card, FIGURES.c.host, FIGURES.c.device)
_FIGURES_OF = select(*_KEY, FIGURES.c.median).where(_OF_RUN)
_LAST_OF = select(*_KEY, FIGURES.c.unit, FIGURES.c.direction).where(_OF_RUN)


class _Table:
    """Figures of all runs in columns: which series, which run, how much."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, str, str], int] = {}
        self._of_key: dict[SeriesKey, int] = {}
        self._columns: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]] = []

    @property
    def keys(self) -> list[SeriesKey]:
        """Of each series, in the order in which it was met first."""
        return list(self._of_key)

    def add(self, place: int, run_id: str, rows: Sequence[Any], without: Collection[tuple[str, str]]) -> None:
        """The figures of one run; `place` is its place among the runs."""
        left_out = {host for run, host in without if run == run_id} if without else ()
        if left_out:
            rows = [row for row in rows if row.host not in left_out]
        numbers = np.fromiter((self._number(row[:4]) for row in rows), dtype=np.int32, count=len(rows))
        figures = np.fromiter((row[4] for row in rows), dtype=np.float64, count=len(rows))
        self._columns.append((numbers, np.full(len(rows), place, dtype=np.int32), figures))

    def _number(self, row: tuple[str, str, str, str]) -> int:
        known = self._numbers.get(row)
        if known is None:
            metric, card, host, device = row
            key = key_of(metric, card, host, device)
            known = self._numbers[row] = self._of_key.setdefault(key, len(self._of_key))
        return known

    def parts(self) -> list[tuple[NDArray[np.int32], NDArray[np.float64]]]:
        """Of each series: places of its runs and its figures, in order of time."""
        if not self._of_key:
            return []
        numbers, places, figures = (np.concatenate(columns) for columns in zip(*self._columns, strict=True))
        self._columns.clear()
        order = np.argsort(numbers, kind="stable")
        ends = np.cumsum(np.bincount(numbers, minlength=len(self._of_key)))[:-1]
        return list(zip(np.split(places[order], ends), np.split(figures[order], ends), strict=True))


def _last(rows: Iterable[Any]) -> dict[SeriesKey, Any]:
    return {key_of(row.metric, row.card, row.host, row.device): row for row in rows}


def _by_night(
    nights: NDArray[np.int64], places: NDArray[np.int32], figures: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """One figure for each night, the median of its runs, and the place of its last run."""
    begins = np.flatnonzero(np.diff(nights, prepend=-1))
    if len(begins) == len(nights):
        return places, figures
    ends = np.append(begins[1:], len(nights))
    medians = [statistics.median(figures[begin:end].tolist()) for begin, end in zip(begins, ends, strict=True)]
    return places[ends - 1], np.array(medians)


def surroundings_in(database: Database, *run_ids: str) -> dict[str, Surroundings]:
    """What was around each of some runs."""
    query = select(SURROUNDINGS).where(SURROUNDINGS.c.run_id.in_(run_ids))
    found: dict[str, dict[tuple[str, str], str]] = {run_id: {} for run_id in run_ids}
    with database.reading() as connection:
        for row in connection.execute(query):
            found[row.run_id][row.place, row.name] = row.value
    return dict(found)
