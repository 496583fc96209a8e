"""The commands of the fault catalogue, as they are typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from faults import describe
from faults.fault import CATALOGUE
from lab.paths import REPOSITORY, LabPaths

STATIC = CATALOGUE / "unquoted-hexadecimal-id.yaml"
"""A fault of a file, which needs no running lab."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for labs that has the installed environment of this checkout."""
    cache = LabPaths.of().cache
    if not (cache / "openstack" / "bin" / "python").exists():
        pytest.skip("the lab's environment is not installed: make accept, or python -m lab install")
    (tmp_path / "cache").symlink_to(cache)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["faults", "run"],
        ["faults", "--name", "other", "run"],
        ["lab", "fault", "run"],
        ["lab", "--name", "o", "fault", "run"],
    ],
    ids=" ".join,
)
def test_a_fault_is_run_by_either_name_of_the_command(home: Path, words: list[str]) -> None:
    """`python -m lab fault run` is the older name of `python -m faults run`."""
    done = subprocess.run(
        [sys.executable, "-m", *words, str(STATIC)],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "GPU_LAB_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ok   {STATIC.stem}:" in done.stdout


def test_the_page_of_symptoms_is_that_of_the_catalogue() -> None:
    """Else run: python -m faults describe."""
    assert describe.TARGET.read_text(encoding="utf-8") == describe.text()
