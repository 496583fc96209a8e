"""The trend as one self-contained HTML page: what changed, since which night, beside what, and every series' curve."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from reports import look
from reports.history.curve import HEIGHT_PX, Curve, curve_of
from reports.history.nights import Series
from reports.history.trend import Change, Trend, confidence_words

TEMPLATES = Path(__file__).parent / "templates"
SERIES_SHOWN = 400
"""Series without a change beyond that are counted only: 1,000 hosts stay a page that opens at once."""
TABLES_SHOWN = 60
"""Series whose nights stand below their curve in figures, too."""
LinkOf = Callable[[str], str]
"""The address of a run's page by the run's id; "" where there is none."""


@dataclass(frozen=True)
class Drawn:
    """A series with its curve."""

    number: int
    """Of the page: its anchor"""
    series: Series
    curve: Curve
    changes: tuple[Change, ...]
    has_table: bool

    @property
    def last(self) -> float:
        """The newest figure."""
        return self.series.values[-1]

    @property
    def place(self) -> str:
        """Where it was measured last."""
        return f"{self.series.host} card{'s' if '-' in self.series.device else ''} {self.series.device}"

    @property
    def cards(self) -> list[str]:
        """UUIDs, of a pair both."""
        return self.series.key.card.split()


@dataclass(frozen=True)
class Part:
    """A cloud's part of the page."""

    trend: Trend
    changed: tuple[Drawn, ...]
    """The worst first"""
    steady: tuple[tuple[str, tuple[Drawn, ...]], ...]
    """By metric"""
    hidden: int


def page(trends: Sequence[Trend], link_of: LinkOf = lambda _: "") -> str:
    """The whole page; the same trends give the same bytes, all text is escaped."""
    simulated = any(trend.simulated for trend in trends)
    templates = look.environment(TEMPLATES)
    templates.filters.update(confidence=confidence_words, unit=look.unit)
    style = templates.get_template("trend.css").render(simulated=simulated)
    numbers = itertools.count(1)
    return templates.get_template("trend.html.j2").render(
        parts=[_part(trend, numbers) for trend in trends],
        simulated=simulated,
        link_of=link_of,
        height=HEIGHT_PX,
        style=Markup(style),  # noqa: S704  # ours, and no host has a word in it
        style_hash=look.hash_of(style),
    )


def _part(trend: Trend, numbers: itertools.count[int]) -> Part:
    """What changed first; of the rest not more than a person may look at."""
    changes: dict[int, list[Change]] = {}
    for change in trend.changes:
        changes.setdefault(id(change.series), []).append(change)
    by_id = {id(series): series for series in trend.series}
    changed = tuple(_drawn(by_id[key], tuple(found), next(numbers), True) for key, found in changes.items())
    rest = [series for series in trend.series if id(series) not in changes]
    tables = len(rest) <= TABLES_SHOWN
    drawn = [_drawn(series, (), next(numbers), tables) for series in rest[:SERIES_SHOWN]]
    groups = itertools.groupby(drawn, key=lambda each: each.series.key.metric)
    return Part(trend, changed, tuple((metric, tuple(group)) for metric, group in groups), len(rest) - len(drawn))


def _drawn(series: Series, changes: tuple[Change, ...], number: int, has_table: bool) -> Drawn:
    return Drawn(number, series, curve_of(series, changes), changes, has_table)
