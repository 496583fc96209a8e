"""docs/contributing/fault.md: its worked example works as written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.paths import REPOSITORY, LabPaths

PAGE = REPOSITORY / "docs" / "contributing" / "fault.md"


def test_the_example_is_found_as_the_page_says(tmp_path: Path) -> None:
    """The fault file of the page, run by the command of the page, gives the line of the page."""
    if not LabPaths.of().openstack_env.exists():
        pytest.skip("the lab's environment is not installed: make accept, or python -m lab install")
    text = PAGE.read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    [(command, line)] = re.findall(r"```console\n\$ (.*)\n(.*)\n```", text)
    (tmp_path / "cache").symlink_to(LabPaths.of().cache)
    file = tmp_path / command.split()[-1]
    file.write_text(example, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, *command.split()[1:-1], str(file)],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "GPU_LAB_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines()[0] == line, done.stdout + done.stderr
