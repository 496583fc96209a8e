"""What drifts and what changed in a cloud's nights: by card and metric, with the night and what else changed then."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from reports.history.change_points import LEAST_CHANGE, ChangePoint, change_points
from reports.history.database import Database
from reports.history.nights import Series, runs_of, series_of, surroundings_in
from reports.history.surroundings import Difference, differences

FALSE_ALARMS = 0.01
"""One wrong change in a hundred looks at a whole cloud, however many cards it has."""
NEAR_NIGHTS = 1
"""What changed in the nights beside is shown, too: noise may shift a change by one."""


@dataclass(frozen=True)
class Surrounding:
    """What changed around the cards, and in which night it was seen first."""

    date: str
    difference: Difference


@dataclass(frozen=True)
class Change:
    """A change of one series."""

    series: Series
    point: ChangePoint
    date: str
    """The night it began."""
    until: str
    """The night from which on it went no further."""
    confidence: float
    """All series that were looked at counted."""
    beside: tuple[Surrounding, ...]

    @property
    def is_worse(self) -> bool:
        """Whether the card does less since."""
        return (self.point.ratio < 1) == (self.series.direction == "higher")

    @property
    def percent(self) -> float:
        """Change of the level, e.g. -7.2."""
        return (self.point.ratio - 1) * 100

    @property
    def words(self) -> str:
        """One line."""
        s, point = self.series, self.point
        how = "at once" if point.nights == 1 else f"over {point.nights} nights until {self.until}"
        return (
            f"{s.key.metric} of {s.name}: {'worse' if self.is_worse else 'better'} by {abs(self.percent):.1f} % "
            f"since {self.date} {how}: {point.before:.4g} → {point.after:.4g} {s.unit}, "
            f"{confidence_words(self.confidence)}"
        )


def confidence_words(confidence: float) -> str:
    """A figure that claims no more than it should."""
    return "more than 99.99 % sure" if confidence > 0.9999 else f"{confidence * 100:.2f} % sure"


@dataclass(frozen=True)
class Trend:
    """A cloud's nights."""

    cloud: str
    simulated: bool
    dates: tuple[str, ...]
    """All nights with a run."""
    series: tuple[Series, ...]
    changes: tuple[Change, ...] = field(default=())
    """The worst first."""


def trend_of(database: Database, cloud: str, *, since: str = "") -> Trend:
    """Read and judge all series of a cloud."""
    runs = [run for run in runs_of(database, cloud) if run.started >= since]
    last_of_date = {run.started[:10]: run.id for run in runs}
    series = series_of(database, cloud, since=since)
    found = list(_changes(database, series, last_of_date))
    return Trend(
        cloud=cloud,
        simulated=any(run.simulated for run in runs),
        dates=tuple(last_of_date),
        series=tuple(series),
        changes=tuple(sorted(found, key=lambda change: (not change.is_worse, -abs(change.percent)))),
    )


def _changes(database: Database, series: Sequence[Series], last_of_date: dict[str, str]) -> Iterator[Change]:
    needed = 1 - FALSE_ALARMS / max(len(series), 1)
    dates = list(last_of_date)
    beside: dict[str, tuple[Surrounding, ...]] = {}
    for each in series:
        for point in change_points(each.values, confidence=needed, least_change=LEAST_CHANGE):
            date = each.nights[point.index].date
            until = each.nights[point.index + point.nights - 1].date
            if date not in beside:
                beside[date] = tuple(_beside(database, dates, last_of_date, dates.index(date)))
            confidence = 1 - (1 - point.confidence) * len(series)
            yield Change(each, point, date, until, confidence, beside[date])


def _beside(
    database: Database, dates: Sequence[str], last_of_date: dict[str, str], index: int
) -> Iterator[Surrounding]:
    first = max(0, index - NEAR_NIGHTS - 1)
    window = dates[first : index + NEAR_NIGHTS + 1]
    around = surroundings_in(database, *(last_of_date[date] for date in window))
    for before, after in itertools.pairwise(window):
        for difference in differences(around[last_of_date[before]], around[last_of_date[after]]):
            yield Surrounding(after, difference)


def as_text(trend: Trend) -> Iterator[str]:
    """For a terminal."""
    if trend.simulated:
        yield "SIMULATED HARDWARE"
    if not trend.dates:
        yield f"{trend.cloud}: no run in the history"
        return
    cards = {(s.key.card, s.key.host, s.key.device) for s in trend.series}
    yield (
        f"{trend.cloud}: {len(trend.dates)} nights, {trend.dates[0]} to {trend.dates[-1]}; "
        f"{len(trend.series)} series of {len(cards)} cards and pairs, "
        f"{len(trend.changes)} change{'' if len(trend.changes) == 1 else 's'}"
    )
    for change in trend.changes:
        yield f"  {change.words}"
        for item in change.beside:
            when = "that night" if item.date == change.date else item.date
            yield f"    {when}, too: {item.difference}"
        if not change.beside:
            yield "    nothing else that is recorded changed around that night"
