"""Whether tonight's figure is slower than the same card's figures of nights before, by how much and how sure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judging.robust import resolution_of, scale_of, t_tail
from reports.history.change_points import DEGREES_OF_FREEDOM

LEAST_NIGHTS = 7
"""Fewer say too little of a series' noise."""
TAIL = 2.0
"""Tonight must be so many times as far off as the past's worst night: noise with rare bad nights fools any scale."""


@dataclass(frozen=True)
class AgainstPast:
    """One figure beside its own past."""

    tonight: float
    usual: float
    """Median of the past."""
    nights: int
    ratio: float
    """Performance by usual performance: 0.9 is ten per cent slower, whichever direction is better."""
    confidence: float
    """That it is slower, all comparisons counted."""

    def is_slower(self, fail_below_ratio: float, confidence: float) -> bool:
        """Whether it is slower by so much and so surely."""
        return self.ratio < fail_below_ratio and self.confidence >= confidence


def against_past(past: Sequence[float], tonight: float, direction: str, comparisons: int) -> AgainstPast | None:
    """Compare; None where the past is too short or not positive.

    `comparisons` is how many such questions are asked before a wrong "slower" may come up once in 1 / (1 - confidence).
    """
    values = np.asarray(past, dtype=np.float64)
    if len(values) < LEAST_NIGHTS or tonight <= 0 or float(np.median(values)) <= 0:
        return None
    usual = float(np.median(values))
    resolution = resolution_of([*past, tonight])
    worse_by = usual - tonight if direction == "higher" else tonight - usual
    error = scale_of(values - usual, resolution) * math.sqrt(1 + math.pi / 2 / len(values))
    freedom = max(1.0, DEGREES_OF_FREEDOM * (len(values) - 1))
    worst = float(usual - values.min() if direction == "higher" else values.max() - usual)
    clear = worse_by > max(2 * resolution, TAIL * worst)
    p = t_tail(worse_by / error, freedom) if clear else 1.0
    ratio = tonight / usual if direction == "higher" else usual / tonight
    return AgainstPast(tonight, usual, len(values), ratio, max(0.0, 1 - p * comparisons))
