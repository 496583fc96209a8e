"""Figures of one metric of one card, night by night."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, case, literal, select

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
            left_out = sorted(host for run_id, host in without if run_id == run.id) if without else []
            query = _FIGURES_OF.where(FIGURES.c.host.not_in(left_out)) if left_out else _FIGURES_OF
            table.add(place, connection.execute(query, {"run": run.id}).all())
        parts = table.parts()
        last = {place: _last(connection, runs[place].id) for place in {int(places[-1]) for places, _ in parts}}
    dates = {date: number for number, date in enumerate(dict.fromkeys(run.started[:10] for run in runs))}
    of_run = np.array([dates[run.started[:10]] for run in runs], dtype=np.int64)
    found = []
    for name, (places, figures) in zip(table.names, parts, strict=True):
        facts = last[int(places[-1])][name]
        key = key_of(facts.metric, facts.card, facts.host, facts.device)
        nights = Nights(runs, *_by_night(of_run[places], places, figures))
        found.append(Series(key, facts.unit, facts.direction, facts.host, facts.device, nights))
    return sorted(found, key=lambda each: (each.key.metric, each.key.card, each.key.host, each.key.device))


_BETWEEN = literal("\x1f")
_PLACE = case((FIGURES.c.card == "", FIGURES.c.host + _BETWEEN + FIGURES.c.device), else_="")
_NAME = (FIGURES.c.metric + _BETWEEN + FIGURES.c.card + _BETWEEN + _PLACE).label("name")
"""What `key_of` tells apart, as one word: of ten million figures each word less is a second."""
_OF_RUN = FIGURES.c.run_id == bindparam("run")
_FIGURES_OF = select(_NAME, FIGURES.c.median).where(_OF_RUN)
_LAST_OF = select(_NAME, *(FIGURES.c[name] for name in ("metric", "card", "host", "device", "unit", "direction")))


def _last(connection: Connection, run_id: str) -> dict[str, Any]:
    return {row.name: row for row in connection.execute(_LAST_OF.where(_OF_RUN), {"run": run_id})}


class _Table:
    """Figures of all runs in columns: which series, which run, how much."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        self._columns: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]] = []

    @property
    def names(self) -> list[str]:
        """Of each series, in the order in which it was met first."""
        return list(self._numbers)

    def add(self, place: int, rows: Sequence[Any]) -> None:
        """The figures of one run: name and figure each; `place` is its place among the runs."""
        if not rows:
            return
        names, figures = zip(*rows, strict=True)
        numbers = np.fromiter(map(self._numbers.__getitem__, names), dtype=np.int32, count=len(rows))
        self._columns.append((numbers, np.full(len(rows), place, dtype=np.int32), np.array(figures, dtype=np.float64)))

    def parts(self) -> list[tuple[NDArray[np.int32], NDArray[np.float64]]]:
        """Of each series: places of its runs and its figures, in order of time."""
        if not self._columns:
            return []
        numbers, places, figures = (np.concatenate(columns) for columns in zip(*self._columns, strict=True))
        self._columns.clear()
        order = np.argsort(numbers, kind="stable")
        ends = np.cumsum(np.bincount(numbers))[:-1]
        return list(zip(np.split(places[order], ends), np.split(figures[order], ends), strict=True))


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
