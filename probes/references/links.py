"""What a link can carry at most: the physical ceiling of every copy over it."""

from __future__ import annotations

LANE_GB_PER_S = {
    1: 0.25,
    2: 0.5,
    3: 8 * 128 / 130 / 8,
    4: 16 * 128 / 130 / 8,
    5: 32 * 128 / 130 / 8,
    6: 64 * 236 / 256 / 8,
}
"""One lane in one direction after line coding: 8b/10b to generation 2, 128b/130b to 5, flits of 236 in 256 bytes in 6.

Headers take more. https://pcisig.com/specifications (PCI Express Base, encodings and flit mode)
"""
MEASURING_TOLERANCE = 1.02
"""Tools round, and time with clocks of their own: this much above the ceiling is still a measurement."""


def pcie_gb_per_s(generation: int, width: int) -> float | None:
    """Ceiling of a PCI Express link in one direction; None for a generation that is not known.

    `pcie_gb_per_s(3, 16)` is 15.75.
    """
    lane = LANE_GB_PER_S.get(generation)
    return None if lane is None else lane * width
