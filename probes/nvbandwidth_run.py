"""One run of nvbandwidth as data, and what its text and its JSON have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from access.errors import ParseError
from probes.pci_address import PciAddress

TOOL = "nvbandwidth"
DESCRIPTION = re.compile(r".*\((GB/s|ns)\)")
Unit = Literal["GB/s", "ns"]


@dataclass(frozen=True)
class Device:
    """One GPU as nvbandwidth names it."""

    index: int
    name: str
    address: PciAddress | None
    """None in versions that print none."""


@dataclass(frozen=True)
class Matrix:
    """One table of figures."""

    name: str
    """Name of the test case, e.g. host_to_device_memcpy_ce; a test that prints several has them as _read1, _total…"""
    unit: Unit
    """GB/s is 10^9 bytes in a second."""
    cells: tuple[tuple[float | None, ...], ...]
    """Row by row; a test between host and GPUs has one row, with a column for each GPU. None if N/A is printed."""
    total: float
    """What the tool calls SUM."""


@dataclass(frozen=True)
class NvBandwidth:
    """One run."""

    version: str | None
    """Of nvbandwidth, e.g. "0.6"; None if the run does not print it."""
    cuda_runtime_version: str | None
    """E.g. "12.4"."""
    driver_version: str | None
    devices: tuple[Device, ...]
    """Empty in JSON, and where the version prints none."""
    matrices: dict[str, Matrix]
    """By name."""
    waived: tuple[str, ...]
    """Tests that this machine cannot run, e.g. copies between GPUs where there is one; "" where no name is printed."""

    def per_device(self, name: str) -> tuple[float | None, ...]:
        """Figures of a test between host and GPUs, in the order of the GPUs.

        Raises:
            ParseError: the test did not run, or is one between GPUs.
        """
        matrix = self.matrices.get(name)
        if matrix is None or len(matrix.cells) != 1:
            reason = "no such test in the answer" if matrix is None else "not a test with a figure for each GPU"
            raise ParseError(TOOL, reason, line=name)
        return matrix.cells[0]


def cuda_version(text: str) -> str:
    """12040 and "12.4 (12040)" both mean 12.4."""
    digits = int(text.split("(")[-1].rstrip(")"))
    return f"{digits // 1000}.{digits % 1000 // 10}"


def unit_of(text: str) -> Unit:
    """The unit in the description of a table."""
    return "ns" if text == "ns" else "GB/s"


def refuse_other_sum(
    name: str,
    cells: tuple[tuple[float | None, ...], ...],
    total: float,
    tolerance: float,
    line: str,
    number: int | None,
) -> None:
    """Compare the printed sum with the cells.

    Raises:
        ParseError: they differ by more than `tolerance`.
    """
    added = sum(cell or 0.0 for row in cells for cell in row)
    if abs(added - total) > tolerance:
        raise ParseError(TOOL, f"the cells of {name} add up to {added:.2f}", line=line, line_number=number)
