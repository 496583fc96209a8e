"""Bandwidth, latency and whatever else was measured.

One part a metric, with band, spread over the GPUs and outliers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from statistics import median

from reports.history.past import NONE, Past
from reports.page.matrices import band_of, path_name
from reports.page.sparkline import Sparkline, sparkline_of
from reports.page.text import bound, natural, number
from reports.tables import LEAST_DEVICES_FOR_OUTLIERS, DeviceFigure

MOST_ROWS = 40
BINS = 60
NAMES = {
    "bandwidth.h2d": "Host to device",
    "bandwidth.d2h": "Device to host",
    "bandwidth.d2d": "Device memory",
}
MARGIN_PERCENT = 4.0
DOT_PX, MOST_STACKED, BAR_PX, HEAD_PX = 9, 8, 72, 24
"""A plot's head is for the names of bounds."""


@dataclass(frozen=True)
class Dot:
    """One device (or pair) of the plot; x in percent, y in pixels."""

    x: float
    y: float
    state: str
    """ok, outlier or bad"""
    title: str


@dataclass(frozen=True)
class Bar:
    """Many devices of the plot."""

    x: float
    width: float
    height: float
    state: str
    title: str


@dataclass(frozen=True)
class Mark:
    """A line across the plot: a bound of the accepted band."""

    x: float
    label: str
    anchor: str


@dataclass(frozen=True)
class Plot:
    """How the devices spread."""

    dots: tuple[Dot, ...]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    base: float
    """Height of the axis in pixels"""


@dataclass(frozen=True)
class Row:
    """One device of a table."""

    host: str
    device: str
    card: str
    median: str
    lowest: str
    highest: str
    runs: int
    ratio: str
    state: str
    remark: str
    course: Sparkline | None


@dataclass(frozen=True)
class Figure:
    """One series: a metric with one accepted band."""

    kind: str
    name: str
    metric: str
    unit: str
    direction: str
    band: str
    source: str
    devices: int
    thing: str
    """What was measured: device or pair"""
    median: str
    lowest: str
    highest: str
    ratio: str
    wrong: int
    outliers: int
    judges_outliers: bool
    plot: Plot
    rows: tuple[Row, ...]
    hidden_rows: int
    course: Sparkline | None
    """The median of all devices in the last runs"""
    has_courses: bool


def figures_of(devices: Iterable[DeviceFigure], past: Past = NONE) -> list[Figure]:
    """All series, bandwidth first, then latency, then others."""
    series: dict[int, list[DeviceFigure]] = {}
    for device in devices:
        series.setdefault(device.series, []).append(device)
    return sorted((_figure(group, past) for group in series.values()), key=_order)


def _order(figure: Figure) -> tuple[int, str, int, str, str]:
    kinds, names = ("bandwidth", "latency"), tuple(NAMES)
    return (
        kinds.index(figure.kind) if figure.kind in kinds else len(kinds),
        figure.kind,
        names.index(figure.metric) if figure.metric in names else len(names),
        figure.metric,
        figure.band,
    )


def _figure(group: Sequence[DeviceFigure], past: Past) -> Figure:
    first = group[0]
    rows = tuple(_row(device, past) for device in _ranked(group))
    ratios = [device.ratio for device in group if device.ratio is not None]
    return Figure(
        kind=first.metric.partition(".")[0],
        name=NAMES.get(first.metric, path_name(first.metric)),
        metric=first.metric,
        unit=first.unit,
        direction=f"{first.direction} is better",
        band=band_of(first.minimum, first.maximum, first.unit),
        source=first.source,
        devices=len(group),
        thing="pair" if first.is_pair else "device",
        median=number(median(device.median for device in group)),
        lowest=number(min(device.lowest for device in group)),
        highest=number(max(device.highest for device in group)),
        ratio=f"{median(ratios):.1%}" if ratios else "",
        wrong=sum(not device.in_band for device in group),
        outliers=sum(device.outlier for device in group),
        judges_outliers=len(group) >= LEAST_DEVICES_FOR_OUTLIERS,
        plot=_plot(group),
        rows=rows,
        hidden_rows=max(0, len(group) - MOST_ROWS),
        course=sparkline_of(past.by_metric.get(first.metric, ())),
        has_courses=any(row.course for row in rows),
    )


def _ranked(group: Sequence[DeviceFigure]) -> list[DeviceFigure]:
    """As machines are counted where all fit; else the worst first."""
    if len(group) <= MOST_ROWS:
        return sorted(group, key=lambda device: (natural(device.host), natural(device.device)))
    return nsmallest(MOST_ROWS, group, key=lambda device: (device.in_band, -device.score, device.host, device.device))


def _row(device: DeviceFigure, past: Past) -> Row:
    remarks = {"bad": "outside the accepted band", "outlier": f"{abs(device.score):.1f} spreads from the others"}
    return Row(
        host=device.host,
        device=device.device,
        card=device.card,
        median=number(device.median),
        lowest=number(device.lowest),
        highest=number(device.highest),
        runs=device.runs,
        ratio=f"{device.ratio:.1%}" if device.ratio is not None else "",
        state=device.state,
        remark=remarks.get(device.state, ""),
        course=sparkline_of(past.course_of(device.metric, device.card, device.host, device.device)),
    )


def _plot(group: Sequence[DeviceFigure]) -> Plot:
    least, most = group[0].minimum, group[0].maximum
    shown = [device.median for device in group] + [limit for limit in (least, most) if limit is not None]
    spread = (max(shown) - min(shown)) or abs(max(shown)) * 0.1 or 1.0
    low, high = min(shown) - spread * 0.03, max(shown) + spread * 0.03

    def place(value: float) -> float:
        return MARGIN_PERCENT + (100 - 2 * MARGIN_PERCENT) * (value - low) / (high - low)

    limits = (("at least", least), ("at most", most))
    marks = tuple(_mark(place(limit), f"{word} {bound(limit)}") for word, limit in limits if limit is not None)
    ticks = tuple((place(value), label) for value, label in _ticks(low, high))
    binned: dict[int, list[DeviceFigure]] = {}
    for device in group:
        binned.setdefault(min(BINS - 1, int(BINS * (device.median - low) / (high - low))), []).append(device)
    tallest = max(map(len, binned.values()))
    if tallest > MOST_STACKED:
        return Plot((), _bars(binned, tallest), marks, ticks, HEAD_PX + BAR_PX)
    base = HEAD_PX + max(2, tallest) * DOT_PX
    return Plot(_dots(binned, base), (), marks, ticks, base)


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round numbers within the range, three to six of them."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step)
    values = [number_of_step * step for number_of_step in range(first, math.floor(high / step) + 1)]
    return [(value, bound(round(value, 12))) for value in values]


def _mark(x: float, label: str) -> Mark:
    return Mark(x, label, "start" if x < 50 else "end")


def _dots(binned: Mapping[int, Sequence[DeviceFigure]], base: float) -> tuple[Dot, ...]:
    dots = []
    for position, devices in sorted(binned.items()):
        x = MARGIN_PERCENT + (100 - 2 * MARGIN_PERCENT) * (position + 0.5) / BINS
        for height, device in enumerate(sorted(devices, key=lambda device: device.median)):
            title = f"{device.host} {device.device}: {number(device.median)} {device.unit}"
            dots.append(Dot(x, base - 6 - height * DOT_PX, device.state, title))
    return tuple(dots)


def _bars(binned: Mapping[int, Sequence[DeviceFigure]], tallest: int) -> tuple[Bar, ...]:
    width = (100 - 2 * MARGIN_PERCENT) / BINS
    bars = []
    for position, devices in sorted(binned.items()):
        states = {device.state for device in devices}
        state = next(state for state in ("bad", "outlier", "ok") if state in states)
        height = max(3.0, BAR_PX * len(devices) / tallest)  # one card among thousands is still to be seen
        bars.append(Bar(MARGIN_PERCENT + width * position, width, height, state, f"{len(devices):,} here"))
    return tuple(bars)
