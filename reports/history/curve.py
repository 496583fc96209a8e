"""A series of nights as a picture with axes: values at the left, dates below, each change at its night.

Places across are in percent of the width and places down in pixels, so that a curve fills a telephone and a desk alike
and its letters keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from reports.history.nights import Night, Series
from reports.history.trend import Change

HEIGHT_PX = 132
MARGIN_PX = 8
"""Between the highest and lowest figure and the frame."""
LEAST_SPAN = 0.02
"""Relative height of a picture: noise of a tenth of a per cent shall look like noise, not like mountains."""
MOST_DOTS = 120
LEAST_TICKS = 3


@dataclass(frozen=True)
class Dot:
    """One night."""

    x: float
    """Percent"""
    y: float
    """Pixels"""
    title: str


@dataclass(frozen=True)
class Tick:
    """A value at the left or a date below."""

    at: float
    text: str
    anchor: str = "middle"
    is_change: bool = False
    needs_room: bool = False
    """Left out where the screen is narrow"""


@dataclass(frozen=True)
class Curve:
    """All that is drawn of one series."""

    points: str
    """Of a polyline in a box of 100 by HEIGHT_PX"""
    dots: tuple[Dot, ...]
    last: Dot
    values: tuple[Tick, ...]
    dates: tuple[Tick, ...]
    changes: tuple[float, ...]
    """Percent"""


def curve_of(series: Series, changes: Sequence[Change]) -> Curve:
    """Time from left to right as it passed, more upwards."""
    low, high = _range(series.values)
    days = [_day(night) for night in series.nights]

    def x_of(day: int) -> float:
        return round(100 * (day - days[0]) / max(days[-1] - days[0], 1), 2)

    def y_of(value: float) -> float:
        return round(MARGIN_PX + (HEIGHT_PX - 2 * MARGIN_PX) * (high - value) / (high - low), 1)

    dots = tuple(
        Dot(x_of(day), y_of(night.value), f"{night.date}: {night.value:.4g} {series.unit}")
        for day, night in zip(days, series.nights, strict=True)
    )
    marks = tuple(dict.fromkeys(dots[change.point.index].x for change in changes))
    return Curve(
        points=" ".join(f"{dot.x:g},{dot.y:g}" for dot in dots),
        dots=dots if len(dots) <= MOST_DOTS else (),
        last=dots[-1],
        values=tuple(Tick(y_of(value), f"{value:.10g}") for value in _round_values(low, high)),
        dates=tuple(_dates(series, {change.date: dots[change.point.index].x for change in changes})),
        changes=marks,
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest of the picture; never of one height."""
    low, high = min(values), max(values)
    least = max(LEAST_SPAN * max(abs(low), abs(high)), 1e-12)
    missing = max(0.0, least - (high - low)) / 2
    return low - missing, high + missing


def _round_values(low: float, high: float) -> list[float]:
    """Values of one, two or five times a power of ten that lie between, at least `LEAST_TICKS` of them."""
    power = 10.0 ** math.ceil(math.log10(high - low))
    steps = (factor * power / 10**less for less in range(3) for factor in (1, 0.5, 0.2))
    found = ([round(number * step, 12) for number in _between(low, high, step)] for step in steps)
    return next(ticks for ticks in found if len(ticks) >= LEAST_TICKS)


def _between(low: float, high: float, step: float) -> range:
    return range(math.ceil(low / step), math.floor(high / step) + 1)


def _day(night: Night) -> int:
    return date.fromisoformat(night.date).toordinal()


def _dates(series: Series, changes: dict[str, float]) -> Iterator[Tick]:
    """First, last and each change; where two would cover each other, the change counts."""
    first, last = series.nights[0].date, series.nights[-1].date
    ends = [(0.0, first, "start")] + ([(100.0, last, "end")] if last != first else [])
    for at, day, anchor in ends:
        away = min((abs(at - x) for x in changes.values()), default=100.0)
        if away > ROOM:
            yield Tick(at, day, anchor, needs_room=away < NARROW_ROOM)
    for day, x in changes.items():
        yield Tick(x, day, "start" if x < ROOM else "end" if x > 100 - ROOM else "middle", is_change=True)


ROOM, NARROW_ROOM = 18.0, 45.0
"""Percent of the width that a date needs with its neighbour, on a desk and on a telephone."""
