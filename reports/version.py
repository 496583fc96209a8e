"""The version of this project, which pyproject.toml alone declares, and the commit that is running."""

from __future__ import annotations

import subprocess
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = ROOT / "pyproject.toml"
COMMIT = ROOT / "COMMIT"
"""Written by hatch_build.py when a wheel is built."""
GIT_LIMIT_S = 10


@cache
def suite_version() -> str:
    """As pyproject.toml of this checkout has it, or as it was installed where there is no checkout."""
    if not PYPROJECT.is_file():
        return metadata.version("gpu-cloud-acceptance")
    return str(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["version"])


@cache
def suite_commit() -> str:
    """The commit as 40 hexadecimal digits, with `+changes` where files of the checkout differ; "" if nobody knows."""
    if COMMIT.is_file():
        return COMMIT.read_text(encoding="utf-8").strip()
    if not (ROOT / ".git").exists():
        return ""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changes"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
