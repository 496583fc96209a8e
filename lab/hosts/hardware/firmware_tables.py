"""The ACPI tables by which firmware tells the kernel of an IOMMU: DMAR (Intel VT-d) and IVRS (AMD-Vi)."""

from __future__ import annotations

import struct

OEM_ID, OEM_TABLE, CREATOR = b"A M I ", b"OEMDMAR ", b"INTL"
INTERRUPT_REMAPPING = 0x1
INCLUDE_ALL = 0x1
UNIT_BASES = (0xFBFFC000, 0xD7FFC000, 0xEAFFC000, 0xF2FFC000)


def dmar(sockets: int, interrupt_remapping: bool = True, reserved: tuple[tuple[str, int, int], ...] = ()) -> bytes:
    """A DMAR table with one remapping unit a socket; `reserved` are RMRRs: device address, first and last byte.

    Intel Virtualization Technology for Directed I/O, chapter 8.
    """
    body = struct.pack("<BB10x", 45, INTERRUPT_REMAPPING if interrupt_remapping else 0)
    for socket, base in enumerate(UNIT_BASES[:sockets]):
        body += struct.pack("<HHBBHQ", 0, 16, INCLUDE_ALL if socket == sockets - 1 else 0, 0, 0, base)
    for address, first, last in reserved:
        body += struct.pack("<HHHHQQ", 1, 32, 0, 0, first, last) + _scope(address)
    return _table(b"DMAR", 1, body)


def ivrs() -> bytes:
    """An IVRS table with one I/O virtualization block. AMD I/O Virtualization Technology Specification, chapter 5."""
    block = struct.pack("<BBHHHQHHI", 0x10, 0xB0, 24, 0x0002, 0x40, 0xFD200000, 0, 0, 0)
    return _table(b"IVRS", 2, struct.pack("<I8x", 0x203040) + block)


def _scope(address: str) -> bytes:
    bus, rest = address.split(":")[1:]
    device, function = rest.split(".")
    return struct.pack("<BBHBBBB", 1, 8, 0, 0, int(bus, 16), int(device, 16), int(function))


def _table(signature: bytes, revision: int, body: bytes) -> bytes:
    length = 36 + len(body)
    header = struct.pack("<4sIBB6s8sI4sI", signature, length, revision, 0, OEM_ID, OEM_TABLE, 1, CREATOR, 1)
    table = bytearray(header + body)
    table[9] = -sum(table) & 0xFF  # all bytes together are zero modulo 256 (ACPI 6.4, 5.2.6)
    return bytes(table)
