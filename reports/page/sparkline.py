"""A figure's course over the last runs, as small as a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.page.text import number

WIDTH, HEIGHT, MARGIN = 96, 22, 3
LEAST_SPAN = 0.04
"""Relative height: noise of a tenth of a per cent shall look like noise."""


@dataclass(frozen=True)
class Sparkline:
    """Points of a polyline in a box of WIDTH by HEIGHT pixels, the last of them marked."""

    points: str
    x: float
    y: float
    label: str


def sparkline_of(course: Sequence[float]) -> Sparkline | None:
    """None where there is nothing to compare with."""
    if len(course) < 2:
        return None
    low, high = min(course), max(course)
    span = max(high - low, LEAST_SPAN * max(abs(low), abs(high)), 1e-12)
    middle = (low + high) / 2
    step = (WIDTH - 2 * MARGIN) / (len(course) - 1)
    points = [
        (
            round(MARGIN + index * step, 1),
            round(HEIGHT / 2 - (HEIGHT - 2 * MARGIN) * (value - middle) / span, 1),
        )
        for index, value in enumerate(course)
    ]
    label = f"{len(course)} runs, from {number(low)} to {number(high)}, newest {number(course[-1])}"
    return Sparkline(" ".join(f"{x:g},{y:g}" for x, y in points), *points[-1], label)
