"""From measured copies to findings: which card is slow, in which direction, and why. Data in, judgement out.

A figure below its band must repeat itself: a card is slow when fewer than the greater part of its runs are good, so
that one noisy sample fails no card and a slow card always fails.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from access.errors import MeasurementError
from probes.cards_under_load import LoadedCard
from probes.copy_runs import RUNS
from probes.references import GpuModel
from probes.references.bands import Band
from probes.references.links import MEASURING_TOLERANCE

STEADY_PERCENT = 10.0
"""How far from their median runs of a quiet machine are: an H100 in an instance showed 47.7 to 55.1 GB/s over days."""
NOISE_SHARE = 4
"""One of so many runs may be farther; of three, one."""
OVER_LINK = ("h2d", "d2h")
DIRECTIONS = (*OVER_LINK, "d2d")
EQUAL_CARDS_SHARE = 0.8
"""What the slowest of equal cards over equal links has of the fastest.

Less is no chance. Sockets cost about a fifth.
"""
CAUSES = (
    "link-trained-narrow",
    "link-low-generation-under-load",
    "throttling",
    "slow-memory",
    "wrong-socket",
    "unsteady-copies",
    "slow-link",
)
"""In the order in which they are named when several apply."""


@dataclass(frozen=True)
class MeasuredCard:
    """One card and all its runs."""

    device: int
    model: GpuModel
    gb_per_s: Mapping[str, tuple[float, ...]]
    """By direction (h2d, d2h, d2d), one figure a run."""
    loaded: LoadedCard | None
    """What it did under load; None where that could not be read."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    cause: str
    what: str


BandOf = Callable[[GpuModel, str], Band]
"""Model and metric (bandwidth.h2d) to what is accepted."""


def refuse_impossible(cards: Iterable[MeasuredCard], band_of: BandOf) -> None:
    """Let no figure count that physics does not allow.

    Raises:
        MeasurementError: one is above the ceiling of link or memory.
    """
    for card in cards:
        for direction in DIRECTIONS:
            ceiling = band_of(card.model, f"bandwidth.{direction}").ceiling
            highest = max(card.gb_per_s[direction])
            if ceiling is not None and highest > ceiling * MEASURING_TOLERANCE:
                raise MeasurementError(
                    f"device {card.device} {direction}: {highest:.1f} GB/s, but {card.model.name} can do {ceiling:.1f} "
                    "at most: this is no measurement",
                    remedy="is it another card, a copy that stays in a cache, or a clock that jumps?",
                )


def unknown_bands(cards: Iterable[MeasuredCard], band_of: BandOf) -> list[str]:
    """Model and metric of figures that nothing is known of."""
    wanted = {(card.model.model, metric): band_of(card.model, metric) for card in cards for metric in _metrics()}
    return [f"{metric} of {model}" for (model, metric), band in sorted(wanted.items()) if not band.is_known]


def findings(cards: Sequence[MeasuredCard], band_of: BandOf) -> list[Finding]:
    """Slow cards, then equal cards that differ; the most telling cause first."""
    slow = [
        (card, direction)
        for card in cards
        for direction in DIRECTIONS
        if is_slow(card.gb_per_s[direction], band_of(card.model, f"bandwidth.{direction}").minimum)
    ]
    found = [_slow(card, direction, cards, band_of) for card, direction in slow]
    found += [
        _unsteady(card, direction, cards)
        for card in cards
        for direction in DIRECTIONS
        if (card, direction) not in slow and is_unsteady(card.gb_per_s[direction])
    ]
    found += [
        _uneven(card, direction, cards)
        for card in cards
        for direction in DIRECTIONS
        if (card, direction) not in slow and _lags(card, direction, cards)
    ]
    return sorted(found, key=lambda finding: CAUSES.index(finding.cause))


def is_slow(values: Sequence[float], minimum: float | None) -> bool:
    """Whether fewer than the greater part of the runs reach `minimum`."""
    return minimum is not None and sum(value >= minimum for value in values) <= len(values) // 2


def is_unsteady(values: Sequence[float]) -> bool:
    """Whether too many runs are farther from their median than a quiet machine's."""
    return len(values) >= RUNS and _odd(values) > max(1, len(values) // NOISE_SHARE)


def _odd(values: Sequence[float]) -> int:
    """How many runs are far from their median."""
    middle = statistics.median(values)
    return sum(abs(value - middle) > middle * STEADY_PERCENT / 100 for value in values)


def is_to_be_repeated(cards: Iterable[MeasuredCard]) -> bool:
    """Whether a figure of any card differs so much that more runs have to tell whether that is noise."""
    figures = [card.gb_per_s[direction] for card in cards for direction in DIRECTIONS]
    return any(_odd(values) > len(values) // NOISE_SHARE for values in figures)


def repeated(cards: Iterable[MeasuredCard]) -> str:
    """Why there are more runs than usual, for the record; "" where there are none."""
    for card in cards:
        for direction in DIRECTIONS:
            values = card.gb_per_s[direction]
            first = values[:RUNS]
            if len(values) > RUNS and _odd(first):
                spread = f"a spread of {spread_percent(first):.0f} %"
                odd = f"device {card.device} {direction} had {spread} in the first {RUNS} runs"
                return f"measured {len(values)} times: {odd}"
    return ""


def worst_of(looks: Iterable[LoadedCard | None]) -> LoadedCard | None:
    """What a card showed at its worst: the lowest link, every reason of lower clocks; None if it never told."""
    seen = [look for look in looks if look is not None]
    if not seen:
        return None
    return LoadedCard(
        seen[0].address,
        min((look.link_generation for look in seen if look.link_generation), default=None),
        min((look.link_width for look in seen if look.link_width), default=None),
        tuple(sorted({reason for look in seen for reason in look.throttle_reasons})),
        max((look.temperature_c for look in seen if look.temperature_c is not None), default=None),
    )


def spread_percent(values: Sequence[float]) -> float:
    """Between the highest and the lowest run, of the median."""
    return 100 * (max(values) - min(values)) / statistics.median(values)


def _metrics() -> list[str]:
    return [f"bandwidth.{direction}" for direction in DIRECTIONS]


def _slow(card: MeasuredCard, direction: str, cards: Sequence[MeasuredCard], band_of: BandOf) -> Finding:
    band = band_of(card.model, f"bandwidth.{direction}")
    return Finding(
        _cause(card, direction, cards),
        f"{_figures(card, direction)}, at least {band.minimum} expected{_link(card, direction)}",
    )


def _unsteady(card: MeasuredCard, direction: str, cards: Sequence[MeasuredCard]) -> Finding:
    values = card.gb_per_s[direction]
    return Finding(
        _cause(card, direction, cards),
        f"{_figures(card, direction)} in {len(values)} runs: "
        f"{_odd(values)} are farther than {STEADY_PERCENT:.0f} % from their median"
        f"{_link(card, direction)}",
    )


def _uneven(card: MeasuredCard, direction: str, cards: Sequence[MeasuredCard]) -> Finding:
    best = max(_equal(card, cards), key=lambda other: _median(other, direction))
    return Finding(
        _cause(card, direction, cards),
        f"{_figures(card, direction)}, "
        f"the equal card {best.device} has {_median(best, direction):.1f}{_link(card, direction)}",
    )


def _figures(card: MeasuredCard, direction: str) -> str:
    values = card.gb_per_s[direction]
    shown = ", ".join(f"{value:.1f}" for value in values)
    return f"device {card.device} {direction}: {shown} GB/s (spread {spread_percent(values):.0f} %)"


def _link(card: MeasuredCard, direction: str) -> str:
    """What was seen of the card under load, where it bears on this direction."""
    loaded = card.loaded
    if loaded is None:
        return ""
    if direction not in OVER_LINK:
        reasons = ", ".join(loaded.throttle_reasons)
        return f"; clocks held down by {reasons}" if reasons else ""
    return f"; its link under load: generation {loaded.link_generation} x{loaded.link_width}"


def _cause(card: MeasuredCard, direction: str, cards: Sequence[MeasuredCard]) -> str:
    unsteady = "unsteady-copies" if is_unsteady(card.gb_per_s[direction]) else ""
    if direction not in OVER_LINK:
        return "throttling" if card.loaded and card.loaded.throttle_reasons else unsteady or "slow-memory"
    generation, width = _best_link(card, cards)
    if card.loaded and _less(card.loaded.link_width, width):
        return "link-trained-narrow"
    if card.loaded and _less(card.loaded.link_generation, generation):
        return "link-low-generation-under-load"
    return unsteady or ("wrong-socket" if _lags(card, direction, cards) else "slow-link")


def _less(now: int | None, best: int | None) -> bool:
    return now is not None and best is not None and now < best


def _best_link(card: MeasuredCard, cards: Sequence[MeasuredCard]) -> tuple[int | None, int | None]:
    """Generation and width that the model has, or where no source tells, the best of equal cards."""
    seen = [other.loaded for other in _equal(card, cards) if other.loaded]
    generations = [loaded.link_generation for loaded in seen if loaded.link_generation]
    widths = [loaded.link_width for loaded in seen if loaded.link_width]
    return card.model.link_generation or max(generations, default=None), card.model.link_width or max(
        widths, default=None
    )


def _equal(card: MeasuredCard, cards: Sequence[MeasuredCard]) -> list[MeasuredCard]:
    return [other for other in cards if other.model == card.model]


def _median(card: MeasuredCard, direction: str) -> float:
    return statistics.median(card.gb_per_s[direction])


def _lags(card: MeasuredCard, direction: str, cards: Sequence[MeasuredCard]) -> bool:
    best = max(_median(other, direction) for other in _equal(card, cards))
    return _median(card, direction) < EQUAL_CARDS_SHARE * best
