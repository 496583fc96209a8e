"""Errors of CUDA by number, name or words, with what to do: one translation for every program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from access.data_files import read_data

FILE = Path(__file__).parent / "cuda_errors.yaml"


@dataclass(frozen=True)
class CudaError:
    """One cudaError_t."""

    number: int
    """Since CUDA 10.1; before, some had others."""
    name: str
    """Of the runtime, e.g. cudaErrorNoDevice."""
    driver_name: str
    """Of the driver's interface, e.g. CUDA_ERROR_NO_DEVICE; "" where it has none."""
    words: str
    """What cudaGetErrorString says."""
    remedy: str


@cache
def errors() -> Mapping[int, CudaError]:
    """All errors by number."""
    data = _data()
    return {
        number: CudaError(number, name, driver_name, words, data["remedies"][remedy])
        for number, (name, driver_name, words, remedy) in data["errors"].items()
    }


def numbered(number: int) -> CudaError | None:
    """The error of a number as a program prints it, whatever its CUDA; None if it is not known."""
    return errors().get(number) or errors().get(_data()["before_10_1"].get(number, -1))


def named(name: str) -> CudaError | None:
    """The error of a name of the runtime's or the driver's interface; None if it is not known."""
    return _names().get(name)


def saying(text: str) -> CudaError | None:
    """The error whose words these are; None if they are not known."""
    return _words().get(text.strip().rstrip(".").lower())


@cache
def _names() -> Mapping[str, CudaError]:
    return {name: error for error in errors().values() for name in (error.name, error.driver_name) if name}


@cache
def _words() -> Mapping[str, CudaError]:
    own = {error.words.rstrip(".").lower(): error for error in reversed(list(errors().values()))}
    return own | {words.lower(): errors()[number] for words, number in _data()["also_said"].items()}


@cache
def _data() -> Any:
    return read_data(FILE)
