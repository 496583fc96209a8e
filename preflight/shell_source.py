"""Shell scripts as commands with positions; enough to see order, options and lost backslashes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from preflight.finding import Location

LONGEST_LINE = 10_000
"""Longer lines are data, and would make a search slow."""
QUOTING = re.compile(r"[\"'\\#]")
SHEBANG = re.compile(r"#!\s*\S*\b(?:env\s+)?(?:ba|da|k)?sh\b")


@dataclass(frozen=True)
class Command:
    """One logical command line: continuation lines joined."""

    location: Location
    text: str
    words: tuple[str, ...]

    def option(self, *names: str) -> str | None:
        """Value of `--name value` or `--name=value`; None if absent."""
        for index, word in enumerate(self.words):
            for name in names:
                if word == name and index + 1 < len(self.words):
                    return self.words[index + 1]
                if word.startswith(name + "="):
                    return word[len(name) + 1 :]
        return None

    def options(self, *names: str) -> list[str]:
        """Every value of a repeated option."""
        values = []
        for index, word in enumerate(self.words):
            for name in names:
                if word == name and index + 1 < len(self.words):
                    values.append(self.words[index + 1])
                elif word.startswith(name + "="):
                    values.append(word[len(name) + 1 :])
        return values

    @cached_property
    def _names(self) -> frozenset[str]:
        """Every word, and every path's last part: asked before the words are compared in order."""
        return frozenset(self.words) | {word.rsplit("/", 1)[-1] for word in self.words if "/" in word}

    def runs(self, *program: str) -> bool:
        """Whether the command runs `program`, given as consecutive words, e.g. ("openstack", "quota", "set")."""
        if not self._names.issuperset(program):
            return False
        size = len(program)
        return any(
            tuple(word.rsplit("/", 1)[-1] if offset == 0 else word for word in self.words[offset : offset + size])
            == program
            or self.words[offset : offset + size] == program
            for offset in range(len(self.words) - size + 1)
        )


@dataclass(frozen=True)
class Script:
    """A shell script: a file of its own, or one that stands in a template."""

    path: Path
    lines: tuple[str, ...]
    first_line: int = 1
    """Line of the file in which the script's first line stands."""
    indent: int = 0
    """Columns that YAML took off each line."""
    in_template: bool = False
    is_quoted: bool = False
    """The whole script stands in one quoted text: each location is where that text begins."""

    def location(self, index: int, column: int = 1) -> Location:
        """Position in the file of the script's line `index` (from 0)."""
        if self.is_quoted:
            return Location(self.path, self.first_line)
        return Location(self.path, self.first_line + index, column + self.indent)

    def search(self, pattern: re.Pattern[str]) -> Iterator[tuple[Location, re.Match[str]]]:
        """Every match outside comments."""
        for index, line in enumerate(self.lines):
            if line.lstrip().startswith("#") or len(line) > LONGEST_LINE:
                continue
            for match in pattern.finditer(line):
                yield self.location(index, match.start() + 1), match

    def commands(self) -> list[Command]:
        """Logical command lines, comments and blank lines left out."""
        return self._all_commands

    @cached_property
    def _all_commands(self) -> list[Command]:
        return list(_commands(self))

    @cached_property
    def text(self) -> str:
        """The whole script."""
        return "\n".join(self.lines)


def _commands(script: Script) -> Iterator[Command]:
    pending: list[str] = []
    start = 0
    for index, line in enumerate(script.lines):
        if not pending:
            start = index
            if not line.strip() or line.lstrip().startswith("#"):
                continue
        if line.endswith("\\"):
            pending.append(line[:-1])
            continue
        text = " ".join([*pending, line])
        pending = []
        if text.strip():
            indent = len(script.lines[start]) - len(script.lines[start].lstrip())
            yield Command(script.location(start, indent + 1), text.strip(), _words(text))
    if pending and "".join(pending).strip():
        text = " ".join(pending)
        yield Command(script.location(start), text.strip(), _words(text))


def _words(text: str) -> tuple[str, ...]:
    if not QUOTING.search(text):
        return tuple(text.split())  # what shlex makes of it, too, but slowly
    try:
        return tuple(shlex.split(text, comments=True))
    except ValueError:  # a quote that is closed on a later line
        return tuple(text.split())
