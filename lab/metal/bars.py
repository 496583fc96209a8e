"""Base address registers: how large they say that they are, and which of their bits can be written.

PCI Local Bus Specification 3.0, 6.2.5.1: software writes all ones and reads back; bits below the size stay 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.errors import LabError

FIRST_OFFSET, REGISTERS, REGISTER_BYTES = 0x10, 6, 4
SMALLEST_BYTES = 16
RESOURCE_64_BIT = 0x100000
"""IORESOURCE_MEM_64 of <linux/ioport.h>, as lab/hosts/hardware gives it."""


@dataclass(frozen=True)
class Bar:
    """One region of memory on the card."""

    register: int
    """0 to 5; one of 64 bits takes the next register as well."""
    size: int
    """Bytes, a power of two."""
    is_wide: bool
    """64 bits."""

    @property
    def offset(self) -> int:
        """Where its register stands in the configuration space."""
        return FIRST_OFFSET + self.register * REGISTER_BYTES

    @property
    def writable(self) -> bytes:
        """Mask of its register, or of both: 1 where software may write."""
        count = 8 if self.is_wide else REGISTER_BYTES
        return ((1 << 8 * count) - self.size).to_bytes(count, "little")


def bars_of(regions: Iterable[tuple[int, int, int]]) -> tuple[Bar, ...]:
    """Registers of regions given as base, size and flags, in their order.

    Raises:
        LabError: a size that no register can say, or more regions than registers.
    """
    found, register = [], 0
    for _, size, flags in regions:
        if size < SMALLEST_BYTES or size & (size - 1):
            raise LabError(f"a region of {size} bytes: it has to be a power of two, and {SMALLEST_BYTES} at least")
        bar = Bar(register, size, bool(flags & RESOURCE_64_BIT))
        register += 2 if bar.is_wide else 1
        if register > REGISTERS:
            raise LabError(f"the regions take {register} registers, a function has {REGISTERS}")
        found.append(bar)
    return tuple(found)
