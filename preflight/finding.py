"""What preflight reports: a mistake at one location in one file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

LONGEST_TEXT = 200
LONGEST_SENTENCE = 600
"""Files are not trusted to be brief."""


def printable(text: str) -> str:
    """Nothing that moves a terminal's cursor or that UTF-8 cannot carry; line ends are shown as one blank."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " if letter in "\n\t" else "\ufffd" for letter in text)


class Severity(StrEnum):
    """How sure we are that it hurts."""

    ERROR = "error"
    """It will fail, or leave the cloud without GPUs."""
    WARNING = "warning"
    """It fails under circumstances that the files do not rule out, or is unsafe."""


@dataclass(frozen=True)
class Location:
    """A position in a file; line and column count from 1."""

    path: Path
    line: int = 1
    column: int = 1


@dataclass(frozen=True)
class Replacement:
    """A safe fix: on that line, replace `old`, which starts at the finding's column, by `new`."""

    old: str
    new: str


@dataclass(frozen=True)
class Finding:
    """One mistake: where, what, what will be seen, what to write instead."""

    code: str
    """Stable, see docs/preflight.md."""
    severity: Severity
    location: Location
    text: str
    """The offending text, shortened."""
    why: str
    """Why it will fail."""
    seen_as: str
    """When it would be noticed without preflight, and with which message."""
    instead: str
    """What to write."""
    link: str
    fix: Replacement | None = None


@dataclass(frozen=True)
class Rule:
    """One entry of the catalogue; findings are made from it."""

    code: str
    title: str
    severity: Severity
    seen_as: str
    link: str

    def at(
        self,
        location: Location,
        text: str,
        why: str,
        instead: str,
        fix: Replacement | None = None,
        seen_as: str | None = None,
    ) -> Finding:
        """Make a finding of this rule; `seen_as` where the symptom is another than the rule's."""
        return Finding(
            code=self.code,
            severity=self.severity,
            location=location,
            text=printable(text.strip()[:LONGEST_TEXT]),
            why=printable(why[:LONGEST_SENTENCE]),
            seen_as=seen_as or self.seen_as,
            instead=printable(instead[:LONGEST_SENTENCE]),
            link=self.link,
            fix=fix,
        )
