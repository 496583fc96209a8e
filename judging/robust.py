"""Medians and what goes with them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

SIGNIFICANT_DIGITS = 6
"""A figure's noise below these is that of binary fractions (11.889899999999999)."""
NORMAL = 1.4826
"""Standard deviation of normal noise by its median absolute deviation."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def median_of(values: NDArray[np.float64]) -> float:
    """As numpy.median where no figure is NaN, without what that asks first: half of the time of a trend."""
    ordered = np.sort(values)
    middle = len(ordered) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def scale_of(residuals: ArrayLike, resolution: float) -> float:
    """Standard deviation of noise around 0 from its median absolute deviation, at least that of rounding."""
    magnitudes = np.abs(np.asarray(residuals, dtype=np.float64))
    n = len(magnitudes)
    small_sample = n / (n - 0.8) if n > 1 else 1.0  # Croux and Rousseeuw 1992: it is too small in small samples
    return max(NORMAL * small_sample * median_of(magnitudes), resolution / math.sqrt(12))


def resolution_of(values: Sequence[float]) -> float:
    """The last decimal that a tool prints: 0.01 for 10.2 and 10.22."""
    texts = [f"{value:.{SIGNIFICANT_DIGITS}g}" for value in values if value]
    if not texts:
        return 0.0
    return float(10.0 ** -max(len(text.partition(".")[2]) if "e" not in text else 0 for text in texts))


def t_tail(t: float, freedom: float) -> float:
    """P(T > t) of Student's t for t > 0 and any freedom of at least 1.

    With t = sqrt(freedom) / tan(angle) the density becomes sin(angle) ** (freedom - 1), which Gauss' rule integrates.
    """
    if t <= 0:
        return 0.5
    end = math.atan2(math.sqrt(freedom), t)
    angles = end * (_NODES + 1) / 2
    integral = float((_WEIGHTS * np.sin(angles) ** (freedom - 1)).sum()) * end / 2
    return math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi) * integral
