"""Tables of bandwidth and latency over all devices and repetitions, with pandas."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from reports.records import CheckRecord

COLUMNS = {"bandwidth": "GB/s", "latency": "us"}


def measurements(records: Iterable[CheckRecord]) -> pd.DataFrame:
    """One row a measurement: metric, host, device, repetition, value, unit, minimum, maximum, source."""
    rows = [
        {
            "metric": item.metric, "host": item.host, "device": item.device, "repetition": item.repetition,
            "value": item.value, "unit": item.unit, "minimum": item.minimum, "maximum": item.maximum, "source": item.source,
        }
        for record in records
        for item in record.measurements
    ]  # fmt: skip
    return pd.DataFrame(
        rows, columns=["metric", "host", "device", "repetition", "value", "unit", "minimum", "maximum", "source"]
    )


def summary(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Median, spread and accepted band by host, device and metric; `kind` is bandwidth or latency."""
    chosen = frame[frame["metric"].str.startswith(kind)]
    if chosen.empty:
        return pd.DataFrame()
    grouped = chosen.groupby(["host", "device", "metric"], sort=True)
    table = grouped.agg(
        median=("value", "median"),
        lowest=("value", "min"),
        highest=("value", "max"),
        runs=("value", "count"),
        at_least=("minimum", "first"),
        at_most=("maximum", "first"),
        unit=("unit", "first"),
        source=("source", "first"),
    )
    return table.reset_index()


def as_html(table: pd.DataFrame) -> str:
    """The table as HTML; all text is escaped."""
    if table.empty:
        return "<p>Nothing was measured.</p>"
    return str(
        table.to_html(index=False, na_rep="", float_format="{:.2f}".format, classes="figures", escape=True, border=0)
    )
