"""P2P figures as matrices, card by card, for heat maps."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.page.text import bound, natural, number

PAIR = re.compile(r"\d{1,4}-\d{1,4}")
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


def matrices_of(devices: pd.DataFrame) -> tuple[tuple[Matrix, ...], int]:
    """The worst hosts' matrices, and of how many hosts none is shown."""
    if devices.empty:
        return (), 0
    pairs = devices[devices["device"].astype(str).str.fullmatch(PAIR)].copy()
    if pairs.empty:
        return (), 0
    pairs["host"] = pairs["host"].astype(str)
    pairs["kind"] = pairs["metric"].astype(str).map(_kind)
    wrong = (~pairs["in_band"]).groupby(pairs["host"]).sum()
    hosts = sorted(wrong.index, key=lambda host: (-int(wrong[host]), natural(host)))
    limits = pairs.groupby(["kind", "unit"], observed=True)["median"].agg(["min", "max"])
    limits["min"] = limits["min"].clip(upper=limits["max"] * (1 - LEAST_RANGE))
    shown = pairs[pairs["host"].isin(hosts[:MOST_HOSTS])]
    found = [
        _matrix(
            host, kind, unit, group, (float(limits.loc[(kind, unit), "min"]), float(limits.loc[(kind, unit), "max"]))
        )
        for (host, kind, unit), group in shown.groupby(["host", "kind", "unit"], observed=True)
    ]
    return tuple(sorted(found, key=lambda matrix: (hosts.index(matrix.host), matrix.kind))), max(
        0, len(hosts) - MOST_HOSTS
    )


def _kind(metric: str) -> str:
    kind, _, path = metric.partition(".")
    both = " in both directions at once" if "bidirectional" in path else ""
    return f"{kind}{both}"


def band_of(minimum: float | None, maximum: float | None, unit: str) -> str:
    """E.g. at least 10 GB/s; None and NaN are no bound."""
    least = "" if minimum is None or pd.isna(minimum) else f"at least {bound(minimum)} {unit}"
    most = "" if maximum is None or pd.isna(maximum) else f"at most {bound(maximum)} {unit}"
    return " and ".join(filter(None, (least, most))) or "no accepted band"


def path_name(metric: str) -> str:
    """E.g. bandwidth.p2p_same_root: P2P same root."""
    return metric.partition(".")[2].replace("p2p", "P2P").replace("_", " ") or metric


def _matrix(host: str, kind: str, unit: str, group: pd.DataFrame, limits: tuple[float, float]) -> Matrix:
    keys = sorted({_path_key(row) for row in group.itertuples()}, key=str)
    letters = dict(zip(keys, string.ascii_lowercase, strict=False))
    cells: dict[tuple[str, str], Cell] = {}
    for row in group.itertuples():
        one, _, other = str(row.device).partition("-")
        key = _path_key(row)
        cells[one, other] = Cell(
            number(float(row.median)), _step(float(row.median), limits), letters.get(key, "") if len(keys) > 1 else "",
            "" if row.in_band else "too low" if row.median < row.minimum else "too high",
        )  # fmt: skip
    devices = tuple(sorted({device for pair in cells for device in pair}, key=natural))
    return Matrix(
        host, kind, unit, devices,
        tuple(tuple(cells.get((one, other)) for other in devices) for one in devices),
        _paths(keys, unit), number(limits[0]), number(limits[1]), sum(bool(cell.wrong) for cell in cells.values()),
    )  # fmt: skip


def _path_key(row: Any) -> tuple[str, float | None, float | None, str]:
    """None for no bound: NaN is not even itself, and would be a path of its own each time."""
    least, most = (None if pd.isna(bound) else float(bound) for bound in (row.minimum, row.maximum))
    return str(row.metric), least, most, str(row.source)


def _paths(keys: Sequence[tuple[str, float | None, float | None, str]], unit: str) -> tuple[Path, ...]:
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
