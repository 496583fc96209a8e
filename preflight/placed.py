"""A text inside a file: which position of the file is meant by a position of the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from preflight.finding import Location
from preflight.yaml_source import Node


@dataclass(frozen=True)
class PlacedText:
    """A text and where it begins; `is_exact` tells whether its lines are the file's, below each other."""

    text: str
    path: Path
    line: int = 1
    column: int = 1
    is_exact: bool = True

    def at(self, line: int, column: int = 0) -> Location:
        """The file's position of a line and column of the text, both from 0."""
        if not self.is_exact:
            return Location(self.path, self.line, self.column)
        return Location(self.path, self.line + line, self.column + column)

    def part(self, text: str, line: int, column: int, *, is_exact: bool = True) -> PlacedText:
        """A piece of this text that begins there."""
        start = self.at(line, column)
        return PlacedText(text, self.path, start.line, start.column, self.is_exact and is_exact)


def place(node: Node, source: Sequence[str]) -> PlacedText:
    """A scalar's text as it stands in its file, whose lines are `source`."""
    start, text = node.location, node.text
    if node.origin is None and node.raw.style in ("|", ">"):
        below = source[start.line :]
        blank = next((index for index, line in enumerate(below) if line.strip()), 0)
        first = below[blank] if below else ""
        indent = len(first) - len(first.lstrip())
        if node.raw.style == "|" or below[blank : blank + 1] == [" " * indent + text.rstrip("\n")]:
            return PlacedText(text, node.path, start.line + 1 + (0 if node.raw.style == "|" else blank), indent + 1)
    elif node.origin is None and start.line <= len(source):
        shift = 1 if node.raw.style else 0
        if source[start.line - 1][start.column - 1 + shift :].startswith(text):
            return PlacedText(text, node.path, start.line, start.column + shift)
    return PlacedText(text, node.path, start.line, start.column, is_exact=False)
