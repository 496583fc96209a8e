"""P2P figures as matrices, card by card, for heat maps."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from reports.page.text import bound, natural, number
from reports.tables import DeviceFigure

PathKey = tuple[str, float | None, float | None, str]
"""Metric, accepted band and its source."""
STEPS = 8
MOST_HOSTS = 6
LEAST_RANGE = 0.25
"""Of the highest figure: a scale that is narrower would paint noise in strong colours."""


@dataclass(frozen=True)
class Cell:
    """One pair; `step` is its colour, 0 for the lowest figure of the run."""

    text: str
    step: int
    path: str
    """The letter of its path in the legend; "" where all pairs have the same"""
    wrong: str
    """"too low" or "too high" where it is outside the accepted band"""


@dataclass(frozen=True)
class Path:
    """One way between cards, with its accepted band."""

    letter: str
    name: str
    band: str
    source: str


@dataclass(frozen=True)
class Matrix:
    """All pairs of one host; a cell is None where nothing was measured."""

    host: str
    kind: str
    unit: str
    devices: tuple[str, ...]
    rows: tuple[tuple[Cell | None, ...], ...]
    paths: tuple[Path, ...]
    lowest: str
    highest: str
    wrong: int


def matrices_of(devices: Sequence[DeviceFigure]) -> tuple[tuple[Matrix, ...], int]:
    """The worst hosts' matrices, and of how many hosts none is shown."""
    groups: dict[tuple[str, str, str], list[DeviceFigure]] = {}
    wrong: Counter[str] = Counter()
    for pair in filter(attrgetter("is_pair"), devices):
        groups.setdefault((pair.host, _kind(pair.metric), pair.unit), []).append(pair)
        wrong[pair.host] += not pair.in_band
    hosts = sorted(wrong, key=lambda host: (-wrong[host], natural(host)))
    limits = _limits(groups)
    chosen = {host: position for position, host in enumerate(hosts[:MOST_HOSTS])}
    shown = sorted((key for key in groups if key[0] in chosen), key=lambda key: (chosen[key[0]], key[1:]))
    return tuple(_matrix(key, groups[key], limits[key[1:]]) for key in shown), len(hosts) - len(chosen)


def _limits(
    groups: Mapping[tuple[str, str, str], Sequence[DeviceFigure]],
) -> dict[tuple[str, str], tuple[float, float]]:
    """One scale for all hosts, so that their colours can be compared."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for (_, kind, unit), pairs in groups.items():
        medians = [pair.median for pair in pairs]
        low, high = found.get((kind, unit), (medians[0], medians[0]))
        found[kind, unit] = min(low, *medians), max(high, *medians)
    return {key: (min(low, high * (1 - LEAST_RANGE)), high) for key, (low, high) in found.items()}


def _kind(metric: str) -> str:
    kind, _, path = metric.partition(".")
    both = " in both directions at once" if "bidirectional" in path else ""
    return f"{kind}{both}"


def band_of(minimum: float | None, maximum: float | None, unit: str) -> str:
    """E.g. at least 10 GB/s; None is no bound."""
    least = "" if minimum is None else f"at least {bound(minimum)} {unit}"
    most = "" if maximum is None else f"at most {bound(maximum)} {unit}"
    return " and ".join(filter(None, (least, most))) or "no accepted band"


def path_name(metric: str) -> str:
    """E.g. bandwidth.p2p_same_root: P2P same root."""
    return metric.partition(".")[2].replace("p2p", "P2P").replace("_", " ") or metric


def _matrix(key: tuple[str, str, str], pairs: Sequence[DeviceFigure], limits: tuple[float, float]) -> Matrix:
    host, kind, unit = key
    paths = sorted({_path_key(pair) for pair in pairs}, key=str)
    letters = dict(zip(paths, string.ascii_lowercase, strict=False)) if len(paths) > 1 else {}
    cells = {pair.device: _cell(pair, limits, letters) for pair in pairs}
    devices = tuple(sorted({device for name in cells for device in name.split("-")}, key=natural))
    return Matrix(
        host=host,
        kind=kind,
        unit=unit,
        devices=devices,
        rows=tuple(tuple(cells.get(f"{one}-{other}") for other in devices) for one in devices),
        paths=_paths(paths, unit),
        lowest=number(limits[0]),
        highest=number(limits[1]),
        wrong=sum(bool(cell.wrong) for cell in cells.values()),
    )


def _cell(pair: DeviceFigure, limits: tuple[float, float], letters: Mapping[PathKey, str]) -> Cell:
    is_low = pair.minimum is not None and pair.median < pair.minimum
    wrong = "" if pair.in_band else "too low" if is_low else "too high"
    return Cell(number(pair.median), _step(pair.median, limits), letters.get(_path_key(pair), ""), wrong)


def _path_key(pair: DeviceFigure) -> PathKey:
    return pair.metric, pair.minimum, pair.maximum, pair.source


def _paths(keys: Sequence[PathKey], unit: str) -> tuple[Path, ...]:
    letters = string.ascii_lowercase if len(keys) > 1 else " " * len(keys)
    return tuple(
        Path(letter.strip(), path_name(metric), band_of(minimum, maximum, unit), source)
        for letter, (metric, minimum, maximum, source) in zip(letters, keys, strict=False)
    )


def _step(value: float, limits: tuple[float, float]) -> int:
    low, high = limits
    if high <= low:
        return STEPS // 2
    return min(STEPS - 1, int(STEPS * (value - low) / (high - low)))
