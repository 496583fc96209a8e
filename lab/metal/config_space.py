"""A function's configuration space as software meets it: what is read, what a write changes, what a reset undoes.

The first content is that of the emulated hosts (lab/hosts/hardware/pci_config.py). Which bits can be written follows
from the registers and the two lists of capabilities: PCI Express Base Specification 3.0, chapter 7; <linux/pci_regs.h>.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from lab.metal.bars import Bar

CONVENTIONAL_BYTES = 256
FIRST_CAPABILITY, FIRST_EXTENDED = 0x34, 0x100
WRITABLE_HEADER = {0x04: b"\x47\x05", 0x0C: b"\xff", 0x3C: b"\xff"}
"""Command (I/O, memory, bus master, parity, errors, no INTx), cache line, interrupt line."""
WRITABLE = {
    0x01: {4: b"\x03\x01"},  # power management: state, PME
    0x05: {2: b"\x71\x00", 4: b"\xfc\xff\xff\xff", 8: b"\xff\xff\xff\xff", 12: b"\xff\xff"},  # MSI of 64 bits
    0x10: {8: b"\xff\x7f", 16: b"\xfb\x0f", 40: b"\xff\x07", 48: b"\xff\xff"},  # device and link control, 1 and 2
}
"""Masks by capability and by the place in it; everything else cannot be written."""
WRITABLE_EXTENDED = {
    0x01: {0x08: b"\xff\xff\xff\xff", 0x0C: b"\xff\xff\xff\xff", 0x14: b"\xff\xff\xff\xff", 0x18: b"\x40\x01"},
    0x1E: {0x08: b"\x0f\x00\xff\xff"},  # L1 substates
}
"""Error reporting: masks, severity, checks of the data link."""


class ConfigSpace:
    """4096 bytes, or 256, of one function."""

    def __init__(self, content: bytes, bars: tuple[Bar, ...]) -> None:
        self._after_reset = bytearray(content)
        for bar in bars:  # nobody has given the regions an address yet
            kind = content[bar.offset] & 0xF
            struct.pack_into("<Q" if bar.is_wide else "<I", self._after_reset, bar.offset, kind)
        self._content = bytearray(self._after_reset)
        self._writable = bytearray(len(content))
        for offset, mask in WRITABLE_HEADER.items():
            self._allow(offset, mask)
        for bar in bars:
            self._allow(bar.offset, bar.writable)
        for offset, identifier in capabilities(content):
            for place, mask in WRITABLE.get(identifier, {}).items():
                self._allow(offset + place, mask)
        for offset, identifier in extended_capabilities(content):
            for place, mask in WRITABLE_EXTENDED.get(identifier, {}).items():
                self._allow(offset + place, mask)

    def _allow(self, offset: int, mask: bytes) -> None:
        self._writable[offset : offset + len(mask)] = mask

    def __len__(self) -> int:
        return len(self._content)

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes; beyond the end all ones, as on a bus that nobody answers on."""
        return bytes(self._content[offset : offset + count]).ljust(count, b"\xff")

    def write(self, offset: int, data: bytes) -> None:
        """Change the bits that can be written."""
        for place, byte in enumerate(data, start=offset):
            if place < len(self._content):
                mask = self._writable[place]
                self._content[place] = (self._content[place] & ~mask) | (byte & mask)

    def reset(self) -> None:
        """As after power on."""
        self._content[:] = self._after_reset


def capabilities(content: bytes) -> Iterator[tuple[int, int]]:
    """Offset and identifier of each capability, in the order of the list."""
    offset, seen = content[FIRST_CAPABILITY], set[int]()
    while offset and offset not in seen:
        seen.add(offset)
        yield offset, content[offset]
        offset = content[offset + 1]


def extended_capabilities(content: bytes) -> Iterator[tuple[int, int]]:
    """Offset and identifier of each extended capability, in the order of the list."""
    offset, seen = FIRST_EXTENDED if len(content) > CONVENTIONAL_BYTES else 0, set[int]()
    while offset and offset not in seen:
        seen.add(offset)
        (word,) = struct.unpack_from("<I", content, offset)
        if word:
            yield offset, word & 0xFFFF
        offset = word >> 20
