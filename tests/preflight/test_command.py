"""Preflight as a command: `python -m preflight`, and its former name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = Path(__file__).parent / "examples" / "GP718"


@pytest.mark.parametrize("name", [["preflight"], ["provisioning", "preflight"]], ids=" ".join)
@pytest.mark.parametrize(("folder", "code"), [("bad", 1), ("good", 0)])
def test_the_exit_code_tells_whether_an_error_was_found(name: list[str], folder: str, code: int) -> None:
    """Both names read the directory and end with 1 for an error, 0 for none."""
    command = [sys.executable, "-m", *name, str(EXAMPLE / folder), "--release", "queens"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == code, done.stderr
    assert ("GP718" in done.stdout) == (code == 1)


def test_a_directory_that_is_not_there_is_bad_input() -> None:
    """Nothing to read ends with 64 and names the path."""
    command = [sys.executable, "-m", "preflight", "no-such-directory"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 64
    assert "no-such-directory" in done.stderr
