"""The vfio-user protocol, version 0.0, as QEMU's vfio-user-pci asks: https://www.qemu.org/docs/master/interop/vfio-user.html

The server's side, for a device that makes no DMA and no interrupts of its own.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Protocol

HEADER = struct.Struct("<HHIII")
"""Number, command, size, flags, error."""
REPLY, NO_REPLY, ERROR = 0x1, 0x10, 0x20
NOT_SUPPORTED = 95
REGIONS, INTERRUPTS = 9, 5
CONFIG_REGION = 7
IS_PCI, CAN_RESET = 0x2, 0x1
READABLE, WRITABLE = 0x1, 0x2
INTERRUPT_FLAGS = {0: 0x7, 1: 0x9}
"""INTx: by eventfd, maskable, masks itself; MSI: by eventfd, not resizable. <linux/vfio.h>"""
LIMITS = {"capabilities": {"max_msg_fds": 8, "max_data_xfer_size": 1 << 20, "pgsize": 4096}}
LONGEST = 1 << 21


class Command(IntEnum):
    """What the client asks for."""

    VERSION = 1
    DMA_MAP = 2
    DMA_UNMAP = 3
    DEVICE_INFO = 4
    REGION_INFO = 5
    INTERRUPT_INFO = 7
    SET_INTERRUPTS = 8
    REGION_READ = 9
    REGION_WRITE = 10
    RESET = 13


class Device(Protocol):
    """What is served."""

    def size_of(self, region: int) -> int:
        """Bytes of a region; 0 if there is none."""

    def read(self, region: int, offset: int, count: int) -> bytes:
        """What stands there."""

    def write(self, region: int, offset: int, data: bytes) -> None:
        """Put something there."""

    def reset(self) -> None:
        """As after power on."""


def serve(path: Path, device: Device) -> None:
    """Serve the device on the unix socket `path`, one client after the other, until the end."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(1)
    while True:
        client, _ = listener.accept()
        with client:
            device.reset()
            _serve(client, device)


def _serve(client: socket.socket, device: Device) -> None:
    try:
        while True:
            number, command, size, flags, _ = HEADER.unpack(_received(client, HEADER.size))
            if not HEADER.size <= size <= LONGEST:
                return
            reply, error = answer(device, command, _received(client, size - HEADER.size))
            if not flags & NO_REPLY:
                kind = REPLY | (ERROR if error else 0)
                client.sendall(HEADER.pack(number, command, HEADER.size + len(reply), kind, error) + reply)
    except (ConnectionError, EOFError):
        return  # the virtual machine went


def _received(client: socket.socket, count: int) -> bytes:
    """Exactly `count` bytes; descriptors that come with them (memory of the guest, interrupts) are not used."""
    data = b""
    while len(data) < count:
        part, ancillary, _, _ = client.recvmsg(count - len(data), socket.CMSG_SPACE(64 * 4))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                for descriptor in array.array("i", content[: len(content) // 4 * 4]):
                    os.close(descriptor)
        if not part:
            raise EOFError
        data += part
    return data


def answer(device: Device, command: int, body: bytes) -> tuple[bytes, int]:
    """The reply to one message, and its error number, 0 for none."""
    known: dict[int, Callable[[Device, bytes], bytes]] = ANSWERS
    if command not in known:
        return b"", NOT_SUPPORTED
    return known[command](device, body), 0


def _version(_: Device, body: bytes) -> bytes:
    return body[:4] + json.dumps(LIMITS).encode() + b"\0"


def _device_info(_: Device, body: bytes) -> bytes:
    return struct.pack("<IIII", 16, IS_PCI | CAN_RESET, REGIONS, INTERRUPTS)


def _region_info(device: Device, body: bytes) -> bytes:
    (region,) = struct.unpack_from("<I", body, 8)
    size = device.size_of(region)
    return struct.pack("<IIIIQQ", 32, READABLE | WRITABLE if size else 0, region, 0, size, 0)


def _interrupt_info(_: Device, body: bytes) -> bytes:
    (index,) = struct.unpack_from("<I", body, 8)
    flags = INTERRUPT_FLAGS.get(index, 0)
    return struct.pack("<IIII", 16, flags, index, 1 if flags else 0)


def _read(device: Device, body: bytes) -> bytes:
    offset, region, count = struct.unpack_from("<QII", body)
    return body[:16] + device.read(region, offset, min(count, LONGEST))


def _write(device: Device, body: bytes) -> bytes:
    offset, region, count = struct.unpack_from("<QII", body)
    device.write(region, offset, body[16 : 16 + count])
    return body[:16]


def _reset(device: Device, _: bytes) -> bytes:
    device.reset()
    return b""


ANSWERS: dict[int, Callable[[Device, bytes], bytes]] = {
    Command.VERSION: _version,
    Command.DMA_MAP: lambda device, body: b"",
    Command.DMA_UNMAP: lambda device, body: body,
    Command.DEVICE_INFO: _device_info,
    Command.REGION_INFO: _region_info,
    Command.INTERRUPT_INFO: _interrupt_info,
    Command.SET_INTERRUPTS: lambda device, body: b"",
    Command.REGION_READ: _read,
    Command.REGION_WRITE: _write,
    Command.RESET: _reset,
}
