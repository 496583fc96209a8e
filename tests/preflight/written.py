"""Files written for one test, and what preflight finds in them."""

from __future__ import annotations

from pathlib import Path

from preflight.cli import inspect
from preflight.finding import Finding


def write(folder: Path, files: dict[str, str]) -> None:
    """Write the files, given by their paths below `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def findings_in(folder: Path, files: dict[str, str], release: str | None = None) -> list[Finding]:
    """Write the files and return the findings."""
    write(folder, files)
    return inspect([folder], release)[1]


def codes_in(folder: Path, files: dict[str, str], release: str | None = None) -> list[str]:
    """Write the files and return the findings' codes."""
    return [finding.code for finding in findings_in(folder, files, release)]
