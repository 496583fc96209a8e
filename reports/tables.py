"""Tables of bandwidth and latency over all devices and repetitions, with pandas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from judging.records import CheckRecord, direction_of
from reports.look import unit

TEXTS = ("metric", "unit", "host", "device", "source", "direction", "card")
FIGURES = ("value", "minimum", "maximum", "bare_metal")
COLUMNS = (*TEXTS, *FIGURES, "repetition")
SERIES = ["metric", "unit", "minimum", "maximum", "source", "direction"]
"""Figures that may be compared: of one metric, with one accepted band (another GPU model has another band)."""
OUTLIER_Z = 3.5
"""Modified z-score above which a value is an outlier.

B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993.
"""
FALSE_ALARMS = 0.05
"""How many outliers may be seen by chance in one series of equal devices."""
LEAST_DEVICES_FOR_OUTLIERS = 5
LEAST_SPREAD = 0.005
"""Of the median: cards that differ by less than this share are alike, however small their spread is."""


def measurements(records: Iterable[CheckRecord]) -> pd.DataFrame:
    """One row a measurement; columns are those of `Measurement`, with its direction where the record has none."""
    items = [item for record in records for item in record.measurements]
    columns = {name: list(map(attrgetter(name), items)) for name in COLUMNS}
    columns["direction"] = [
        direction or direction_of(metric)
        for direction, metric in zip(columns["direction"], columns["metric"], strict=True)
    ]
    frame = {name: pd.Categorical(columns[name]) for name in TEXTS}
    figures = {name: np.array(columns[name], dtype=float) for name in FIGURES}
    return pd.DataFrame({**frame, **figures, "repetition": columns["repetition"]})


def per_device(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a device and metric: median, lowest, highest, runs, ratio, and whether it is in band and an outlier.

    `series` numbers what may be compared; `ratio` is median by bare metal (NaN where that is unknown);
    `score` is the modified z-score within the series, positive where the device is worse than the others.
    """
    if frame.empty:
        return frame.assign(
            series=[], median=[], lowest=[], highest=[], runs=[], ratio=[], in_band=[], score=[], outlier=[]
        )
    keyed = frame.assign(series=frame.groupby(SERIES, dropna=False, observed=True, sort=True).ngroup())
    grouped = keyed.groupby(["series", "host", "device"], observed=True, sort=True)
    table = grouped.agg(
        **{name: (name, "first") for name in (*SERIES, "card", "bare_metal")},
        median=("value", "median"),
        lowest=("value", "min"),
        highest=("value", "max"),
        runs=("value", "size"),
    ).reset_index()
    table["ratio"] = table["median"] / table["bare_metal"].where(table["bare_metal"] != 0)
    table["in_band"] = ~((table["median"] < table["minimum"]) | (table["median"] > table["maximum"]))
    table["score"] = _scores(table)
    table["outlier"] = table["score"].abs() > table.groupby("series")["score"].transform("size").map(outlier_limit)
    return table


def outlier_limit(devices: int) -> float:
    """The score above which one of so many devices is an outlier.

    Among thousands of equal ones 3.5 happens by chance.
    """
    return max(OUTLIER_Z, NormalDist().inv_cdf(1 - FALSE_ALARMS / (2 * devices)))


def _scores(table: pd.DataFrame) -> pd.Series[float]:
    by_series = table.groupby("series", observed=True)["median"]
    middle = by_series.transform("median")
    deviation = (table["median"] - middle).abs().groupby(table["series"]).transform("median") * 1.4826
    spread = pd.concat([deviation, middle.abs() * LEAST_SPREAD], axis=1).max(axis=1)
    worse = np.where(table["direction"] == "lower", 1.0, -1.0)
    score = worse * (table["median"] - middle) / spread.where(spread > 0)
    judged: pd.Series[float] = score.where(by_series.transform("size") >= LEAST_DEVICES_FOR_OUTLIERS, 0.0).fillna(0.0)
    return judged


@dataclass(frozen=True, slots=True)
class DeviceFigure:
    """One row of `per_device`: what one device or pair reached in one metric; None where a figure is not known."""

    series: int
    metric: str
    unit: str
    minimum: float | None
    maximum: float | None
    source: str
    direction: str
    host: str
    device: str
    card: str
    median: float
    lowest: float
    highest: float
    runs: int
    ratio: float | None
    in_band: bool
    score: float
    outlier: bool

    @property
    def state(self) -> str:
        """bad (out of band), outlier or ok."""
        return "bad" if not self.in_band else "outlier" if self.outlier else "ok"

    @property
    def is_pair(self) -> bool:
        """Whether it is of two devices, e.g. 0-1."""
        one, dash, other = self.device.partition("-")
        return bool(dash) and one.isdigit() and other.isdigit()


def device_figures(records: Iterable[CheckRecord]) -> list[DeviceFigure]:
    """All devices and metrics of a run."""
    table = per_device(measurements(records))
    table["unit"] = table["unit"].map(unit)
    columns = [_column(table[name]) for name in DeviceFigure.__slots__]
    return [DeviceFigure(*row) for row in zip(*columns, strict=True)]


def _column(values: pd.Series[Any]) -> list[Any]:
    return [None if isinstance(value, float) and value != value else value for value in values.tolist()]  # NaN


def summary(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Median, spread and accepted band by host, device and metric; `kind` is bandwidth or latency."""
    chosen = frame[frame["metric"].astype(str).str.startswith(kind)]
    if chosen.empty:
        return pd.DataFrame()
    table = per_device(chosen).sort_values(["host", "device", "metric"], ignore_index=True)
    renamed = table.rename(columns={"minimum": "at_least", "maximum": "at_most"})
    renamed["unit"] = renamed["unit"].map(unit)
    return renamed[
        ["host", "device", "metric", "median", "lowest", "highest", "runs", "at_least", "at_most", "unit", "source"]
    ]


def as_html(table: pd.DataFrame) -> str:
    """The table as HTML; all text is escaped."""
    if table.empty:
        return "<p>Nothing was measured.</p>"
    return str(
        table.to_html(index=False, na_rep="", float_format="{:.2f}".format, classes="figures", escape=True, border=0)
    )
