"""What a number of `dcgmi diag` means for a card: dcgm_causes.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from access.data_files import read_data

FILE = Path(__file__).parent / "dcgm_causes.yaml"
HARMLESS, OURS, UNKNOWN = "harmless", "ours", "dcgm-found"


@cache
def _data() -> Mapping[str, Any]:
    return dict(read_data(FILE))


@cache
def _numbers() -> Mapping[int, str]:
    return {number: cause for cause, numbers in _data()["errors"].items() for number in numbers}


def cause_of(number: int | None, severity: int | None) -> str:
    """The name of a cause, HARMLESS or OURS; for what is listed nowhere by its severity, without one UNKNOWN."""
    known = _numbers().get(number) if number is not None else None
    return known or str(_data()["severities"].get(severity, UNKNOWN))


def causes() -> frozenset[str]:
    """All causes that a number or a severity can have."""
    return frozenset({*_data()["errors"], *_data()["severities"].values()}) - {HARMLESS, OURS}
