"""Figures of one metric of one card, night by night."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

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
class Series:
    """All nights of one metric of one card."""

    key: SeriesKey
    unit: str
    direction: str
    host: str
    """Where it was measured last."""
    device: str
    nights: tuple[Night, ...]

    @property
    def values(self) -> list[float]:
        """Figures in order of time."""
        return [night.value for night in self.nights]

    @property
    def name(self) -> str:
        """For people: the card and where it was measured last."""
        place = f"{self.host} card {self.device}"
        return f"{self.key.card} ({place})" if self.key.card else place


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
    query = (
        select(
            FIGURES.c.metric,
            FIGURES.c.card,
            FIGURES.c.host,
            FIGURES.c.device,
            FIGURES.c.unit,
            FIGURES.c.direction,
            FIGURES.c.median,
            RUNS.c.started,
            RUNS.c.id,
        )
        .join(RUNS)
        .where(RUNS.c.cloud == cloud, RUNS.c.started >= since)
    )
    if before:
        query = query.where(RUNS.c.started < before)
    grouped: dict[SeriesKey, list[Any]] = {}
    with database.reading() as connection:
        for row in connection.execute(query.order_by(RUNS.c.started, RUNS.c.id)):
            if (row.id, row.host) not in without:
                grouped.setdefault(key_of(row.metric, row.card, row.host, row.device), []).append(row)
    keys = sorted(grouped, key=lambda key: (key.metric, key.card, key.host, key.device))
    return [_series(key, grouped[key]) for key in keys]


def _series(key: SeriesKey, rows: Sequence[Any]) -> Series:
    last = rows[-1]
    return Series(key, last.unit, last.direction, last.host, last.device, tuple(_nights(rows)))


def _nights(rows: Iterable[Any]) -> Iterator[Night]:
    dates: dict[str, list[Any]] = {}
    for row in rows:
        dates.setdefault(row.started[:10], []).append(row)
    for date, found in dates.items():
        yield Night(date, statistics.median(row.median for row in found), found[-1].id)


def surroundings_in(database: Database, *run_ids: str) -> dict[str, Surroundings]:
    """What was around each of some runs."""
    query = select(SURROUNDINGS).where(SURROUNDINGS.c.run_id.in_(run_ids))
    found: dict[str, dict[tuple[str, str], str]] = {run_id: {} for run_id in run_ids}
    with database.reading() as connection:
        for row in connection.execute(query):
            found[row.run_id][row.place, row.name] = row.value
    return dict(found)
