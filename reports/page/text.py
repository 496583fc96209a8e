"""What a host printed, made harmless to read; escaping for HTML is the templates' work."""

from __future__ import annotations

import re
from collections.abc import Iterable

from access.terminal import printable

LONGEST_SHOWN_CHARS = 600
_NUMBERS = re.compile(r"(\d{1,18})")


visible = printable
"""Control characters as pictures: none of them acts on the page either."""


def short(text: str, limit_chars: int = LONGEST_SHOWN_CHARS) -> str:
    """The text's beginning, and how much is left out."""
    left_out = len(text) - limit_chars
    return text if left_out <= 0 else f"{text[:limit_chars]} … {left_out} characters more"


def natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """A sort key by which compute-2 stands before compute-10."""
    parts = _NUMBERS.split(text)
    return tuple(
        (part.isascii() and part.isdigit(), int(part) if part.isascii() and part.isdigit() else 0, part)
        for part in parts
    )


def listed(names: Iterable[str], limit: int = 6) -> str:
    """The first names, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(short(name, 80) for name in found[:limit]) + more


def plural(count: int, word: str) -> str:
    """E.g. 1 check, 2,000 checks."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def bound(value: float) -> str:
    """A figure that a person chose, as it was chosen: 10, 8.5, 0.002."""
    return f"{value:,.10g}"


def number(value: float) -> str:
    """Three to four significant digits, as people compare figures: 502, 11.93, 1.402, 0.00052."""
    size = abs(value)
    if size == 0 or 100 <= size < 1e7:
        return f"{value:,.0f}"
    if 1e-3 <= size < 100:
        return f"{value:.2f}" if size >= 10 else f"{value:.3f}"
    return f"{value:.3g}"
