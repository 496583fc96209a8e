"""What each Xid of the driver asks for: by its number, or by the words of its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from access.data_files import read_data

FILE = Path(__file__).parent / "xids.yaml"
_DATA: Any = read_data(FILE)
REJECTING: tuple[str, ...] = tuple(_DATA["rejecting"])
"""Actions that speak against a card, the worst first."""
HARMLESS: tuple[str, ...] = tuple(_DATA["harmless"])
"""Actions that do not: the fault of a program (application), or nothing to do (none)."""
UNLISTED: str = _DATA["unlisted"]
"""The action of a number that the catalogue does not have."""


@dataclass(frozen=True)
class Meaning:
    """What one number means."""

    name: str
    action: str
    """Where its line says nothing else."""
    words: tuple[tuple[re.Pattern[str], str], ...] = ()
    """Pattern of a line and the action that it then asks for; the first that is found counts."""
    last_counts: bool = False
    """Whether the last one of a card says what is left to do."""

    @property
    def actions(self) -> tuple[str, ...]:
        """All that it can ask for."""
        return (self.action, *(action for _, action in self.words))

    def action_of(self, detail: str) -> str:
        """What a line with this text behind the number asks for."""
        return next((action for pattern, action in self.words if pattern.search(detail)), self.action)


@cache
def meanings() -> Mapping[int, Meaning]:
    """Every number of NVIDIA's catalogue."""
    told = {code: group for group in _DATA["told"].values() for code in group["codes"]}
    return {code: _meaning(entry, told.get(code)) for code, entry in _DATA["codes"].items()}


def _meaning(entry: list[str], told: dict[str, Any] | None) -> Meaning:
    if told is None:
        return Meaning(entry[0], entry[1])
    words = tuple((re.compile(pattern), action) for pattern, action in told["words"])
    return Meaning(entry[0], told["otherwise"], words, bool(told.get("last_counts")))


def meaning_of(number: int) -> Meaning:
    """What a number means; one that is not listed is a question to NVIDIA."""
    return meanings().get(number) or Meaning("not in NVIDIA's catalogue of 2025", UNLISTED)
