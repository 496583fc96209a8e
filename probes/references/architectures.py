"""What follows from the architecture of a GPU alone: its kernel modules, drivers and CUDA versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from access.data_files import read_data

FILE = Path(__file__).parent / "architectures.yaml"


@dataclass(frozen=True)
class Architecture:
    """One generation of NVIDIA's GPUs."""

    chips: str
    """How the names of its chips begin in pci.ids, for example GP."""
    kernel_modules: tuple[str, ...]
    """Flavours of the kernel module that drive it: proprietary, open."""
    first_driver_branch: int
    first_cuda: str
    last_driver_branch: int | None = None
    """None: no branch has dropped it."""
    last_cuda_major: int | None = None
    """None: no version has dropped it."""


@cache
def architectures() -> dict[str, Architecture]:
    """All architectures by name."""
    return {name: _architecture(figures) for name, figures in _data().items()}


def figures_of_models(architecture: str) -> dict[str, Any]:
    """The figures, each as [value, source], that every model of the architecture has."""
    return {name: figure for name, figure in _data()[architecture].items() if name != "chips"}


@cache
def _data() -> Mapping[str, dict[str, Any]]:
    data: Mapping[str, dict[str, Any]] = read_data(FILE)
    return data


def _architecture(figures: dict[str, Any]) -> Architecture:
    values: dict[str, Any] = {}
    for name, (value, _) in figures.items():
        values[name] = tuple(value) if isinstance(value, list) else value
    return Architecture(**values)
