"""Bandwidth, latency and whatever else was measured: one part a metric, with band, spread over the GPUs and outliers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from reports.page.matrices import band_of, path_name
from reports.page.text import bound, natural, number
from reports.tables import LEAST_DEVICES_FOR_OUTLIERS

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


def figures_of(devices: pd.DataFrame) -> list[Figure]:
    """All series, bandwidth first, then latency, then others."""
    found = [_figure(group) for _, group in devices.groupby("series", sort=True)] if len(devices) else []
    order = {"bandwidth": 0, "latency": 1}
    return sorted(
        found, key=lambda figure: (order.get(figure.kind, 2), figure.kind, "P2P" in figure.name, figure.metric)
    )


def _figure(group: pd.DataFrame) -> Figure:
    first = group.iloc[0]
    metric, unit = str(first["metric"]), str(first["unit"])
    ratio = group["ratio"].median()
    ranked = _ranked(group)
    return Figure(
        kind=metric.partition(".")[0],
        name=NAMES.get(metric, path_name(metric)),
        metric=metric,
        unit=unit,
        direction=f"{first['direction']} is better",
        band=band_of(float(first["minimum"]), float(first["maximum"]), unit),
        source=str(first["source"]),
        devices=len(group),
        median=number(float(group["median"].median())),
        lowest=number(float(group["lowest"].min())),
        highest=number(float(group["highest"].max())),
        ratio=f"{ratio:.1%}" if pd.notna(ratio) else "",
        wrong=int((~group["in_band"]).sum()),
        outliers=int(group["outlier"].sum()),
        judges_outliers=len(group) >= LEAST_DEVICES_FOR_OUTLIERS,
        plot=_plot(group),
        rows=tuple(_row(row) for row in ranked.head(MOST_ROWS).to_dict("records")),
        hidden_rows=max(0, len(group) - MOST_ROWS),
    )


def _ranked(group: pd.DataFrame) -> pd.DataFrame:
    """As machines are counted where all fit; else the worst first."""
    order = group.assign(
        place=[
            (natural(str(host)), natural(str(device)))
            for host, device in zip(group["host"], group["device"], strict=True)
        ]
    )
    by = ["place"] if len(group) <= MOST_ROWS else ["in_band", "score", "place"]
    return order.sort_values(by, ascending=[name != "score" for name in by], kind="stable")


def _row(row: dict[str, object]) -> Row:
    state, score = _state(row), float(str(row["score"]))
    remark = {"bad": "outside the accepted band", "outlier": f"{abs(score):.1f} spreads from the others", "ok": ""}[
        state
    ]
    ratio = float(str(row["ratio"]))
    return Row(
        str(row["host"]), str(row["device"]), str(row["card"]),
        *(number(float(str(row[name]))) for name in ("median", "lowest", "highest")), int(str(row["runs"])),
        f"{ratio:.1%}" if ratio == ratio else "", state, remark,  # NaN is not itself
    )  # fmt: skip


def _state(row: dict[str, object]) -> str:
    return "bad" if not row["in_band"] else "outlier" if row["outlier"] else "ok"


def _plot(group: pd.DataFrame) -> Plot:
    first = group.iloc[0]
    bounds = [float(first[name]) for name in ("minimum", "maximum") if pd.notna(first[name])]
    low, high = min([float(group["median"].min()), *bounds]), max([float(group["median"].max()), *bounds])
    spread = (high - low) or abs(high) * 0.1 or 1.0
    low, high = low - spread * 0.03, high + spread * 0.03

    def place(value: float) -> float:
        return MARGIN_PERCENT + (100 - 2 * MARGIN_PERCENT) * (value - low) / (high - low)

    marks = tuple(
        _mark(place(float(first[name])), f"{word} {bound(float(first[name]))}")
        for name, word in (("minimum", "at least"), ("maximum", "at most"))
        if pd.notna(first[name])
    )
    ticks = tuple((place(value), label) for value, label in _ticks(low, high))
    binned: dict[int, list[dict[str, object]]] = {}
    for row in group.to_dict("records"):
        position = min(BINS - 1, int(BINS * (float(row["median"]) - low) / (high - low)))
        binned.setdefault(position, []).append({str(key): value for key, value in row.items()})
    tallest = max(map(len, binned.values()))
    if tallest > MOST_STACKED:
        base = HEAD_PX + BAR_PX
        return Plot((), _bars(binned, tallest), marks, ticks, base)
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


def _dots(binned: dict[int, list[dict[str, object]]], base: float) -> tuple[Dot, ...]:
    dots = []
    for position, rows in sorted(binned.items()):
        x = MARGIN_PERCENT + (100 - 2 * MARGIN_PERCENT) * (position + 0.5) / BINS
        for height, row in enumerate(sorted(rows, key=lambda row: float(str(row["median"])))):
            title = f"{row['host']} {row['device']}: {number(float(str(row['median'])))} {row['unit']}"
            dots.append(Dot(x, base - 6 - height * DOT_PX, _state(row), title))
    return tuple(dots)


def _bars(binned: dict[int, list[dict[str, object]]], tallest: int) -> tuple[Bar, ...]:
    width = (100 - 2 * MARGIN_PERCENT) / BINS
    bars = []
    for position, rows in sorted(binned.items()):
        states = {_state(row) for row in rows}
        state = "bad" if "bad" in states else "outlier" if "outlier" in states else "ok"
        height = max(3.0, BAR_PX * len(rows) / tallest)  # one card among thousands is still to be seen
        bars.append(Bar(MARGIN_PERCENT + width * position, width, height, state, f"{len(rows):,} devices"))
    return tuple(bars)
