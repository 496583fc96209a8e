"""Which driver a CUDA version needs, and what its packages bring."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from access.data_files import read_data

FILE = Path(__file__).parent / "cuda.yaml"


def version(text: str) -> tuple[int, ...]:
    """A version for comparison, e.g. (11, 8)."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def oldest_driver_for_cuda(cuda: str) -> int | None:
    """Oldest driver branch that runs a CUDA version; None if unknown."""
    table: dict[str, int] = _data()["oldest_driver"]
    return table.get(cuda) or table.get(cuda.partition(".")[0])


def last_samples_script() -> str:
    """The last CUDA version that has cuda-install-samples-*.sh."""
    return str(_data()["samples_script_until"])


def first_repository_package_with_new_key() -> str:
    """The first CUDA version whose repository package has the key that signs the packages today."""
    return str(_data()["repository_package_since"])


@cache
def _data() -> Any:
    return read_data(FILE)
