"""The project's version has one home."""

from __future__ import annotations

import subprocess
from pathlib import Path

from reports.records import SUITE_VERSION
from reports.version import suite_version

REPOSITORY = Path(__file__).resolve().parents[2]


def test_records_carry_the_version_of_pyproject() -> None:
    """The version in the records is the one that pyproject.toml declares."""
    declared = f'version = "{suite_version()}"'

    assert declared in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    assert suite_version() == SUITE_VERSION


def test_no_module_repeats_the_version() -> None:
    """No tracked Python file holds the version as a text of its own."""
    text = f'= "{suite_version()}"'
    found = subprocess.run(
        ["git", "grep", "-lF", text, "--", "*.py"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )

    assert found.stdout == ""
