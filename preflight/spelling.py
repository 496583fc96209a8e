"""Is a name we do not know a known one, mistyped?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

MOST_EDITS = 2
SHORT_NAME = 8
"""Names this short get one edit: two turn one word into another."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that differs by case, or by one or two letters; None if there is none."""
    limit = 1 if len(word) <= SHORT_NAME else MOST_EDITS
    folded = word.casefold()
    letters = _letters(word)
    best: tuple[int, str] | None = None
    for name in known:
        if name == word or abs(len(name) - len(word)) > limit or len(letters ^ _letters(name)) > 2 * limit:
            continue
        distance = _edits(folded, name.casefold(), limit)
        if distance is not None and (best is None or (distance, name) < best):
            best = (distance, name)
    return best[1] if best else None


@cache
def _letters(name: str) -> frozenset[str]:
    """An edit brings one letter in and takes one away at most: names of other letters are no near ones."""
    return frozenset(name.casefold())


def _edits(one: str, other: str, limit: int) -> int | None:
    """How many letters must be changed, added or left out; None if more than `limit`."""
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one, start=1):
        above, row = row, [index]
        for column, against in enumerate(other, start=1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (letter != against)))
        if min(row) > limit:
            return None
    return row[-1] if row[-1] <= limit else None
