"""The catalogue of rules: preflight/rules/catalogue.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from access.data_files import read_data
from preflight.finding import Rule, Severity

FILE = Path(__file__).parent / "rules" / "catalogue.yaml"


def rule(code: str) -> Rule:
    """The rule of that code; KeyError if the catalogue has none."""
    entry = _entries()[code]
    return Rule(code, entry["title"], Severity(entry["severity"]), entry["seen_as"], entry["link"])


def codes() -> set[str]:
    """All codes of the catalogue."""
    return set(_entries())


@cache
def _entries() -> Any:
    return read_data(FILE)
