"""Configuration space of a PCI function, bit by bit as lspci decodes it.

Layout and bits: PCI Express Base Specification 3.0, chapter 7; <linux/pci_regs.h>. Where the capabilities of a GPU
stand, and what they say, is as on a Tesla P100 PCIe in a server.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

CONVENTIONAL_BYTES, EXTENDED_BYTES, UNPRIVILEGED_BYTES = 256, 4096, 64
LEGACY_GENERATION = 2
"""Up to here a link has no equalization."""

MEMORY_SPACE, BUS_MASTER, SYSTEM_ERRORS, NO_INTX = 0x2, 0x4, 0x100, 0x400
STATUS_CAPABILITIES = 0x10
BAR_64_BIT_PREFETCHABLE, RESOURCE_64_BIT = 0xC, 0x100000
ENDPOINT, ROOT_PORT_WITH_SLOT = 0x02, 0x142
UNCORRECTABLE_SEVERITY, UNCORRECTABLE_MASK, CORRECTABLE_MASK = 0x67030, 0x18000, 0x31C1
ALL_ACS = 0x5F
FUNCTION_LEVEL_RESET = 1 << 28


@dataclass(frozen=True)
class Header:
    """What the configuration space of one function says."""

    vendor: int
    device: int
    class_code: int
    revision: int
    subsystem: tuple[int, int]
    driven: bool
    """A driver is bound: bus mastering and MSI are on."""
    bars: tuple[tuple[int, int, int], ...] = ()
    """Base, size, resource flags."""
    buses: tuple[int, int] | None = None
    """Primary and secondary bus of a bridge."""
    link: tuple[int, int] | None = None
    """Generation and width now."""
    max_link: tuple[int, int] | None = None
    extended: bool = True
    """Whether the bus is PCI Express: then there are 4096 bytes."""
    total_vfs: int | None = None
    acs: bool = True
    function_level_reset: bool = False


def encode(header: Header) -> bytes:
    """The function's configuration space: 4096 bytes on PCI Express, else 256."""
    is_express = header.link is not None and header.max_link is not None
    space = bytearray(EXTENDED_BYTES if is_express and header.extended else CONVENTIONAL_BYTES)
    _standard_header(space, header)
    if is_express:
        _power_management(space, 0x60, following=0x68)
        _message_signalled_interrupts(space, 0x68, header.driven, following=0x78)
        _express(space, 0x78, header)
        if header.extended:
            _extended_capabilities(space, header)
    return bytes(space)


def _put(space: bytearray, offset: int, layout: str, *values: int) -> None:
    struct.pack_into("<" + layout, space, offset, *values)


def _standard_header(space: bytearray, header: Header) -> None:
    command = MEMORY_SPACE | SYSTEM_ERRORS | ((BUS_MASTER | NO_INTX) if header.driven else 0)
    status = STATUS_CAPABILITIES if header.link else 0
    class_and_revision = (header.class_code << 8) | header.revision
    _put(space, 0, "HHHHI", header.vendor, header.device, command, status, class_and_revision)
    _put(space, 0x34, "B", 0x60 if header.link else 0)
    _put(space, 0x3C, "BB", 16, 1)
    if header.buses is not None:
        primary, secondary = header.buses
        _put(space, 0x0E, "B", 1)
        _put(space, 0x18, "BBB", primary, secondary, secondary)
        return
    _put(space, 0x2C, "HH", *header.subsystem)
    offset = 0x10
    for base, _, flags in header.bars:
        wide = bool(flags & RESOURCE_64_BIT)
        _put(space, offset, "I", (base & 0xFFFFFFF0) | (BAR_64_BIT_PREFETCHABLE if wide else 0))
        if wide:
            _put(space, offset + 4, "I", base >> 32)
        offset += 8 if wide else 4


def _power_management(space: bytearray, at: int, following: int) -> None:
    version, no_soft_reset = 3, 0x8
    _put(space, at, "BBHH", 0x01, following, version, no_soft_reset)


def _message_signalled_interrupts(space: bytearray, at: int, enabled: bool, following: int) -> None:
    wide_address = 0x80
    _put(space, at, "BBH", 0x05, following, wide_address | int(enabled))
    if enabled:
        _put(space, at + 4, "IIH", 0xFEE00F38, 0, 0)


def _express(space: bytearray, at: int, header: Header) -> None:
    assert header.link is not None  # noqa: S101  the caller looked
    assert header.max_link is not None  # noqa: S101
    (speed, width), (max_speed, max_width) = header.link, header.max_link
    is_bridge = header.buses is not None
    # 256 byte payloads, extended tags, role-based errors, 25 W from the slot
    device_capabilities = 0x8000 | (1 if is_bridge else 1 | 7 << 6 | 6 << 9 | 0x20 | 25 << 18)
    if header.function_level_reset:
        device_capabilities |= FUNCTION_LEVEL_RESET
    device_control = 0x0E | 0x10 | 1 << 5 | 0x100 | 5 << 12
    # ASPM L0s and L1 with their exit latencies, clock power management, ASPM optionality
    link_capabilities = max_speed | max_width << 4 | 3 << 10 | 4 << 12 | 2 << 15 | 1 << 22
    link_capabilities |= (1 << 20 | 1 << 21) if is_bridge else 1 << 18
    link_control = 0x40 | (0 if is_bridge else 0x100)
    link_status = speed | width << 4 | 1 << 12 | (1 << 13 if is_bridge else 0)
    _put(space, at, "BBH", 0x10, 0, ROOT_PORT_WITH_SLOT if is_bridge else ENDPOINT)
    _put(space, at + 4, "IHHIHH", device_capabilities, device_control, 0, link_capabilities, link_control, link_status)
    if is_bridge:
        presence_detected = 0x40
        _put(space, at + 0x14, "IHH", 0, 0, presence_detected)
    _put(space, at + 0x24, "IH", 0x3 | 0x10 | (1 << 5 if is_bridge else 1 << 18), 0x6)
    equalized = 0x1E if speed > LEGACY_GENERATION else 0
    _put(space, at + 0x2C, "IHH", (2 << max_speed) - 2, max_speed, equalized)


def _extended_capabilities(space: bytearray, header: Header) -> None:
    if header.buses is not None:
        _extended(space, 0x100, 0x01, 2, 0x140 if header.acs else 0)
        _put(space, 0x10C, "I", UNCORRECTABLE_SEVERITY)
        if header.acs:
            _extended(space, 0x140, 0x0D, 1, 0)
            _put(space, 0x144, "HH", ALL_ACS, 0x1D)
        return
    chain = [(0x100, 0x02, 1), (0x258, 0x1E, 1), (0x128, 0x04, 1), (0x420, 0x01, 2), (0x600, 0x0B, 1), (0x900, 0x19, 1)]
    if header.total_vfs is not None:
        chain.append((0xBCC, 0x10, 1))
    following = [offset for offset, _, _ in chain[1:]] + [0]
    for (offset, identifier, version), after in zip(chain, following, strict=True):
        _extended(space, offset, identifier, version, after)
    _put(space, 0x114, "I", 0x800000FF)  # virtual channel 0 carries every traffic class
    _put(space, 0x25C, "III", 0x0028FF1F, 0, 0x28)  # L1 substates
    _put(space, 0x428, "II", UNCORRECTABLE_MASK, UNCORRECTABLE_SEVERITY)
    _put(space, 0x434, "I", CORRECTABLE_MASK)
    _put(space, 0x604, "I", 0x24 << 20 | 1 << 16 | 1)  # vendor specific: id, revision, length
    if header.total_vfs is not None:
        _put(space, 0xBCC + 0x0C, "HH", header.total_vfs, header.total_vfs)


def _extended(space: bytearray, offset: int, identifier: int, version: int, following: int) -> None:
    _put(space, offset, "I", identifier | version << 16 | following << 20)


def unprivileged(space: bytes) -> bytes:
    """What the kernel shows of it to who is not root (drivers/pci/pci-sysfs.c, pci_read_config)."""
    return space[:UNPRIVILEGED_BYTES]
