"""The trend as one HTML file: a line for each series, drawn as inline SVG; no script, no outside request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.history.nights import Series
from reports.history.trend import Change, Trend, confidence_words

WIDTH, HEIGHT, MARGIN = 240, 36, 3
LEAST_SPAN = 0.05
"""Relative height of a picture: noise of half a per cent shall look like noise, not like mountains."""
SERIES_SHOWN = 400
"""Series without a change beyond that are counted only: 1,000 hosts stay a page that opens at once."""


@dataclass(frozen=True)
class Picture:
    """A series as an SVG's points."""

    points: str
    last_x: float
    last_y: float
    changes_x: tuple[float, ...]


@dataclass(frozen=True)
class SeriesRow:
    """A series in the page's table."""

    series: Series
    picture: Picture
    changes: tuple[Change, ...]

    @property
    def last(self) -> float:
        """The newest figure."""
        return self.series.values[-1]


def picture_of(series: Series, changes: Sequence[Change]) -> Picture:
    """Nights from left to right, more upwards."""
    values = series.values
    low, high = min(values), max(values)
    span = max(high - low, LEAST_SPAN * abs(high), 1e-12)
    middle = (low + high) / 2

    def x_of(index: int) -> float:
        return round(MARGIN + (WIDTH - 2 * MARGIN) * index / max(len(values) - 1, 1), 1)

    def y_of(value: float) -> float:
        return round(HEIGHT / 2 - (HEIGHT - 2 * MARGIN) * (value - middle) / span, 1)

    points = [(x_of(index), y_of(value)) for index, value in enumerate(values)]
    return Picture(
        points=" ".join(f"{x:g},{y:g}" for x, y in points),
        last_x=points[-1][0],
        last_y=points[-1][1],
        changes_x=tuple(x_of(change.point.index) for change in changes),
    )


def _rows(trend: Trend) -> list[SeriesRow]:
    """What changed first; of the rest not more than a person may look at."""
    changes: dict[int, list[Change]] = {}
    for change in trend.changes:
        changes.setdefault(id(change.series), []).append(change)
    order = {key: number for number, key in enumerate(changes)}
    ordered = sorted(trend.series, key=lambda series: order.get(id(series), len(order)))
    return [
        SeriesRow(series, picture_of(series, changes.get(id(series), [])), tuple(changes.get(id(series), [])))
        for series in ordered[: len(changes) + SERIES_SHOWN]
    ]


def page(trends: Sequence[Trend]) -> str:
    """The whole page; the same trends give the same bytes, all text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["confidence"] = confidence_words
    return environment.get_template("trend.html.j2").render(
        trends=[(trend, _rows(trend)) for trend in trends], width=WIDTH, height=HEIGHT
    )
