"""How long a run loads each card: judging/levels.yaml, or a duration of the user's own."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import yaml

from access.errors import InputError

FILE = Path(__file__).with_name("levels.yaml")
DURATION = re.compile(r"([0-9]{1,6})([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SHORTEST_S, LONGEST_S = 60, 30 * 86400
MEMORY_SHARE = 0.2
"""Of the load, where gpu_burn does the rest: it writes each word many times, and reads only what it computed."""
LEAST_MEMORY_S = 60


@dataclass(frozen=True)
class Level:
    """How long which load runs on each card."""

    name: str
    load_s: int
    """Memory patterns and products."""
    copies_s: int
    """Copies from and to all cards of an instance at once."""
    dcgm: int
    """Level of `dcgmi diag`, where it is installed."""
    proves: str = ""

    @property
    def seconds(self) -> int:
        """What it takes, without DCGM."""
        return self.load_s + self.copies_s

    def shares(self, *, burns: bool) -> tuple[int, int]:
        """Seconds of our own load and of gpu_burn; `burns`: it is installed."""
        own = min(self.load_s, max(LEAST_MEMORY_S, int(self.load_s * MEMORY_SHARE))) if burns else self.load_s
        return own, self.load_s - own


@cache
def levels() -> tuple[Level, ...]:
    """The named ones, the shortest first."""
    entries = yaml.safe_load(FILE.read_text(encoding="utf-8"))["levels"]
    return tuple(sorted((Level(**entry) for entry in entries), key=lambda level: level.seconds))


def level_of(text: str) -> Level:
    """A level by its name, or one of a duration: a whole number with s, m, h or d.

    Raises:
        InputError: it is neither, or shorter than a minute or longer than 30 days.
    """
    named = next((level for level in levels() if level.name == text), None)
    if named is not None:
        return named
    match = DURATION.fullmatch(text)
    seconds = int(match[1]) * SECONDS[match[2]] if match else 0
    if not SHORTEST_S <= seconds <= LONGEST_S:
        names = ", ".join(level.name for level in levels())
        raise InputError(f"{text} is no level: {names}, or a duration from 1m to 30d such as 90m")
    model = [level for level in levels() if level.seconds <= seconds] or [levels()[0]]
    copies_s = min(model[-1].copies_s, seconds // 6)
    return replace(model[-1], name=text, load_s=seconds - copies_s, copies_s=copies_s)
