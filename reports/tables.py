"""Tables of bandwidth and latency over all devices and repetitions, with pandas."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import numpy as np
import pandas as pd

from reports.records import CheckRecord, direction_of

TEXTS = ("metric", "unit", "host", "device", "source", "direction", "card")
FIGURES = ("value", "minimum", "maximum", "bare_metal")
COLUMNS = (*TEXTS, *FIGURES, "repetition")
SERIES = ["metric", "unit", "minimum", "maximum", "source", "direction"]
"""Figures that may be compared: of one metric, with one accepted band (another GPU model has another band)."""
OUTLIER_Z = 3.5
"""Modified z-score above which a value is an outlier: B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993."""
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
    table["outlier"] = table["score"].abs() > OUTLIER_Z
    return table


def _scores(table: pd.DataFrame) -> pd.Series[float]:
    by_series = table.groupby("series", observed=True)["median"]
    middle = by_series.transform("median")
    deviation = (table["median"] - middle).abs().groupby(table["series"]).transform("median") * 1.4826
    spread = pd.concat([deviation, middle.abs() * LEAST_SPREAD], axis=1).max(axis=1)
    worse = np.where(table["direction"] == "lower", 1.0, -1.0)
    score = worse * (table["median"] - middle) / spread.where(spread > 0)
    return score.where(by_series.transform("size") >= LEAST_DEVICES_FOR_OUTLIERS, 0.0).fillna(0.0)


def summary(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Median, spread and accepted band by host, device and metric; `kind` is bandwidth or latency."""
    chosen = frame[frame["metric"].astype(str).str.startswith(kind)]
    if chosen.empty:
        return pd.DataFrame()
    table = per_device(chosen).sort_values(["host", "device", "metric"], ignore_index=True)
    renamed = table.rename(columns={"minimum": "at_least", "maximum": "at_most"})
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
