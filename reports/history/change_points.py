"""Where a series of nightly figures changed, by how much, and how sure that is.

The model of one change is a level, a ramp of L nights, and a new level; L = 1 is a step. All fits are least absolute
deviations (medians), so single odd nights neither make nor move a change. The confidence is that of a t test on the
medians whose scale is the median absolute deviation, divided by the number of places that were looked at.

Libraries find places but say neither how sure they are nor when a slow ramp began (ruptures: piecewise constant or
linear, no test), hence these few functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judging.robust import median_of, resolution_of, scale_of, t_tail

Values = NDArray[np.float64]
Lengths = NDArray[np.int64]

MIN_BEFORE = 5
MIN_AFTER = 5
CONFIDENCE = 0.999
"""One false change in a thousand series of nights without one."""
LEAST_CHANGE = 0.01
"""Relative; less than one per cent is not worth a word."""
RAMP_GAIN = 0.9
"""A ramp must fit that much better than a step, else the change is called a step."""
DEGREES_OF_FREEDOM = 0.37
"""Of a scale that is a median absolute deviation, per figure: its efficiency beside the standard deviation's."""
COARSE_LENGTHS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)
AROUND = 3
LONG = 100
"""Nights from which on a series is looked over before it is searched, and searched in a grid before everywhere."""
GRID = 48
"""Places, and lengths of a ramp, that a long series is searched at first."""
BOUND = 3.0
"""Deviations beyond so many scales count as so many: a single odd night moves no sum."""
STILL, LOUD = 4.5, 8.0
"""Standard errors that few stretches of a still series reach; and those of a change which itself, as a slow one does,
makes nights resemble each other. What is sure in a search has at least 4.7."""
SEARCHES = 3.0
"""The length of the ramp is searched, too: as good as so many more places, by simulation."""


@dataclass(frozen=True)
class ChangePoint:
    """One change in a series."""

    index: int
    """First figure that is different."""
    nights: int
    """1: a step. More: it went on for so many figures."""
    before: float
    after: float
    confidence: float

    @property
    def ratio(self) -> float:
        """New level by old level."""
        return self.after / self.before


@dataclass(frozen=True)
class _Fit:
    index: int
    nights: int
    before: float
    change: float
    model: Values
    cost: float


def change_points(
    values: Sequence[float], *, confidence: float = CONFIDENCE, least_change: float = LEAST_CHANGE
) -> list[ChangePoint]:
    """All changes of a series of positive figures, in order of time."""
    y = np.asarray(values, dtype=np.float64)
    if len(y) < MIN_BEFORE + MIN_AFTER or np.median(y) <= 0:
        return []
    if len(y) >= LONG and is_still(y, 0.0):
        return []
    resolution = resolution_of(values)
    if len(y) >= LONG and is_still(y, resolution):
        return []
    found = list(_changes(y, 0, resolution, confidence, least_change))
    if not found and len(y) >= 2 * (MIN_BEFORE + MIN_AFTER):
        # what was repaired is hidden in the whole: most nights are as they were
        third = len(y) // 3
        found = list(_changes(y[: 2 * third], 0, resolution, confidence, least_change))
        late = _changes(y[third:], third, resolution, confidence, least_change)
        found += [change for change in late if all(abs(change.index - other.index) > AROUND for other in found)]
    return sorted(found, key=lambda change: change.index)


def _changes(
    y: Values, offset: int, resolution: float, confidence: float, least_change: float
) -> Iterator[ChangePoint]:
    """The clearest change, then what is left on either side of it."""
    if len(y) < MIN_BEFORE + MIN_AFTER or np.ptp(y) < least_change * np.median(y):
        return
    fit = _best_fit(y)
    sure = 1 - _p_value(y, fit, resolution)
    large = abs(fit.change) >= least_change * abs(fit.before) and abs(fit.change) > 2 * resolution
    if sure < confidence or not large:
        return
    yield ChangePoint(offset + fit.index, fit.nights, fit.before, fit.before + fit.change, sure)
    yield from _changes(y[: fit.index], offset, resolution, confidence, least_change)
    rest = (y - fit.model)[fit.index :] + fit.before + fit.change
    yield from _changes(rest, offset + fit.index, resolution, confidence, least_change)


def is_still(y: Values, resolution: float) -> bool:
    """Whether no run of nights lies so far from the others that a change could be sure: tells in a moment.

    Sums of bounded deviations, from either end and over stretches of some lengths; a stretch that holds a change of
    another length has the most of it (circular binary segmentation: Olshen and others, Biostatistics 5, 2004).
    """
    n = len(y)
    deviations = y - median_of(y)
    scale = scale_of(deviations, resolution)
    if not scale:  # most nights are alike
        return not deviations.any()
    begin, end = _farthest_stretch(np.clip(deviations / scale, -BOUND, BOUND))
    inside = np.zeros(n, dtype=bool)
    inside[begin:end] = True
    others = median_of(deviations[~inside])
    change = median_of(deviations[inside]) - others
    noise = deviations - np.where(inside, change, 0.0) - others
    share = math.pi / 2 * (1 / (end - begin) + 1 / (n - end + begin))
    error = scale_of(noise, resolution) * math.sqrt(share)
    return abs(change) < min(STILL * math.sqrt(_memory(noise)), LOUD) * error


def _farthest_stretch(bounded: Values) -> tuple[int, int]:
    """First night, and the one behind the last, of the stretch that is most unlike the others."""
    n = len(bounded)
    sums = np.concatenate([[0.0], np.cumsum(bounded - bounded.mean())])
    ends = np.arange(MIN_BEFORE, n - MIN_AFTER + 1)
    from_start = np.abs(sums[ends]) / np.sqrt(ends * (1 - ends / n))
    best = int(np.argmax(from_start))
    found, farthest = (0, int(ends[best])), float(from_start[best])
    for length in (length for length in COARSE_LENGTHS if MIN_BEFORE <= length <= n // 2):
        within = np.abs(sums[length:] - sums[:-length]) / math.sqrt(length * (1 - length / n))
        best = int(np.argmax(within))
        if within[best] > farthest:
            found, farthest = (best, best + length), float(within[best])
    return found


def _best_fit(y: Values) -> _Fit:
    """Of ramps a few lengths everywhere, then every length around the best; a long series first in a grid."""
    places = range(MIN_BEFORE, len(y) - MIN_AFTER + 1)
    stride = 1 if len(y) < LONG else max(1, len(y) // GRID)
    fits = [_fit(y, index, _coarse_lengths(len(y) - index)) for index in places[::stride]]
    if stride > 1:
        best = (min(fits, key=lambda both: both[0].cost)[0].index, min(fits, key=lambda both: both[1].cost)[1].index)
        near = {index for at in best for index in places if 0 < abs(index - at) < stride}
        fits += [_fit(y, index, _coarse_lengths(len(y) - index)) for index in sorted(near)]
    step = min((step for step, _ in fits), key=_cost)
    coarse = min((ramp for _, ramp in fits), key=_cost)
    around = [index for index in places if abs(index - coarse.index) <= AROUND]
    ramp = min((_best_ramp(y, index, coarse.nights, stride) for index in around), key=_cost)
    return ramp if ramp.cost < RAMP_GAIN * step.cost else step


def _best_ramp(y: Values, index: int, near: int, stride: int) -> _Fit:
    """The best ramp that begins at `index`: of every length, in a long series of those between the coarse ones."""
    longest = len(y) - index
    if stride == 1:
        return _fit(y, index, np.arange(1, longest + 1))[1]
    known = [1, *_coarse_lengths(longest).tolist()]
    low = max((length for length in known if length < near), default=1)
    high = min((length for length in known if length > near), default=longest)
    step = max(1, (high - low) // GRID)
    found = _fit(y, index, np.arange(low, high + 1, step))[1]
    if step == 1:
        return found
    finer = np.arange(max(1, found.nights - step), min(longest, found.nights + step) + 1)
    return min(found, _fit(y, index, finer)[1], key=_cost)


def _cost(fit: _Fit) -> float:
    return fit.cost


def _coarse_lengths(longest: int) -> Lengths:
    return np.array([*(length for length in COARSE_LENGTHS if length < longest), longest])


def _fit(y: Values, index: int, lengths: Lengths) -> tuple[_Fit, _Fit]:
    """The best step and the best ramp that begin at `index`."""
    before = median_of(y[:index])
    after = y[index:] - before
    weights = np.minimum(np.arange(1, len(after) + 1)[None, :] / lengths[:, None], 1.0)
    changes = _weighted_medians(after[None, :] / weights, weights)
    costs = np.abs(after[None, :] - changes[:, None] * weights).sum(axis=1) + np.abs(y[:index] - before).sum()

    def fit(row: int) -> _Fit:
        model = np.concatenate([np.full(index, before), before + changes[row] * weights[row]])
        return _Fit(index, int(lengths[row]), before, float(changes[row]), model, float(costs[row]))

    return fit(0), fit(int(np.argmin(costs)))


def _weighted_medians(values: Values, weights: Values) -> Values:
    """Of each row."""
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    sums = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    half = sums[:, -1:] / 2
    low = np.argmax(sums >= half - 1e-12, axis=1)
    high = np.argmax(sums > half + 1e-12, axis=1)
    rows = np.arange(len(values))
    found: Values = (ordered[rows, low] + ordered[rows, high]) / 2
    return found


def _p_value(y: Values, fit: _Fit, resolution: float) -> float:
    """How often a series without a change shows one as clear, somewhere."""
    residuals = y - fit.model
    scale = scale_of(residuals, resolution) * math.sqrt(_memory(residuals))
    n_before = fit.index
    n_after = float((fit.model[fit.index :] - fit.before).sum() / fit.change) if fit.change else 1.0
    error = scale * math.sqrt(math.pi / 2 * (1 / n_before + 1 / n_after))
    places = len(y) - MIN_BEFORE - MIN_AFTER + 1
    freedom = max(1.0, DEGREES_OF_FREEDOM * (len(y) - 3))
    return min(1.0, 2 * places * SEARCHES * t_tail(abs(fit.change) / error, freedom))


def _memory(residuals: Values) -> float:
    """Nights that resemble the night before tell less: the factor by which a mean's variance grows."""
    scale = scale_of(residuals, 0.0)
    if not scale:
        return 1.0
    bounded = np.clip(residuals, -3 * scale, 3 * scale)
    total = float((bounded**2).sum())
    correlation = min(0.9, max(0.0, float((bounded[1:] * bounded[:-1]).sum()) / total)) if total else 0.0
    return (1 + correlation) / (1 - correlation)
