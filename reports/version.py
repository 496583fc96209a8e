"""The version of this project, which pyproject.toml alone declares."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


@cache
def suite_version() -> str:
    """As pyproject.toml of this checkout has it, or as it was installed where there is no checkout."""
    if not PYPROJECT.is_file():
        return metadata.version("gpu-cloud-acceptance")
    return str(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["version"])
