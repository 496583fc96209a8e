"""Draws how the time to ask hosts grows with their number, from measured figures.

python scripts/bench_hosts.py --json docs/scale.json
python scripts/draw_scale.py    # writes docs/scale.svg
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
FIGURES = REPOSITORY / "docs" / "scale.json"
PICTURE = REPOSITORY / "docs" / "scale.svg"
WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 190, 20, 48
LINES = (
    ("commonly", "testinfra, one after another", "#b3261e"),
    ("ours", "gathered before the checks", "#1a5fb4"),
    ("bare", "handshake and `true` alone", "#5e5c64"),
)
"""Key, words and colour."""


class Axis:
    """A logarithmic axis from `low` to `high`, both powers of ten or not, over pixels."""

    def __init__(self, low: float, high: float, first_px: float, last_px: float) -> None:
        self.low, self.high = math.log10(low), math.log10(high)
        self._first, self._last = first_px, last_px

    def at(self, value: float) -> float:
        """Where a value stands, in pixels."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self._first + share * (self._last - self._first), 1)

    def ticks(self) -> list[float]:
        """One, two and five times each power of ten within."""
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        values = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        return [value for value in values if self.low - 1e-9 <= math.log10(value) <= self.high + 1e-9]


def seconds(row: dict[str, Any], key: str) -> float:
    """What one way took for all hosts of a row; testinfra was asked for some of them, and takes as long for each."""
    return float(row["commonly_s_per_host"] * row["hosts"] if key == "commonly" else row[f"{key}_s"])


def picture(rows: Sequence[dict[str, Any]]) -> str:
    """The picture as SVG."""
    values = [seconds(row, key) for row in rows for key, *_ in LINES]
    counts = [row["hosts"] for row in rows]
    x = Axis(min(counts), max(counts), LEFT, WIDTH - RIGHT)
    y = Axis(min(values) / 1.3, max(values) * 1.3, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        "<title>Seconds to ask hosts, by their number</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_grid(x, y, counts),
        *(part for line in LINES for part in _line(x, y, rows, *line)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(x: Axis, y: Axis, counts: Sequence[int]) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    for tick in y.ticks():
        yield f'<path d="M{LEFT} {y.at(tick)}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y.at(tick) + 4}" text-anchor="end" fill="#444">{tick:g} s</text>'
    for count in counts:
        yield f'<path d="M{x.at(count)} {TOP}V{bottom}" stroke="#eee"/>'
        yield f'<text x="{x.at(count)}" y="{bottom + 18}" text-anchor="middle" fill="#444">{count}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle:g}" y="{HEIGHT - 8}" text-anchor="middle" fill="#444">hosts</text>'


def _line(x: Axis, y: Axis, rows: Sequence[dict[str, Any]], key: str, words: str, colour: str) -> Iterator[str]:
    points = [(x.at(row["hosts"]), y.at(seconds(row, key))) for row in rows]
    path = " ".join(f"{across},{down}" for across, down in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for row, (across, down) in zip(rows, points, strict=True):
        yield (
            f'<circle cx="{across}" cy="{down}" r="3.5" fill="{colour}">'
            f"<title>{row['hosts']} hosts: {seconds(row, key):.3g} s</title></circle>"
        )
    across, down = points[-1]
    yield f'<text x="{across + 10}" y="{down + 4}" fill="{colour}">{escape(words)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture(json.loads(FIGURES.read_text(encoding="utf-8"))["rows"]), encoding="utf-8")
