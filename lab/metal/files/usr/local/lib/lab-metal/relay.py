"""relay.py FILE: listens where the lab's control plane answers outside, and passes everything on to QEMU's network.

FILE is made by lab/metal/network.py: the address and the ports, the socket of the message bus, QEMU's address and port.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on one direction until it ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


def relay(gateway: str, port: int) -> Serve:
    """What serves a connection: one that goes on to `port` of `gateway`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(gateway, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    return serve


async def main(settings: dict[str, Any]) -> None:
    """Listen until the end."""
    gateway, bus = settings["gateway"], settings["bus"]
    servers: list[asyncio.Server] = [
        await asyncio.start_server(relay(gateway, port), settings["address"], port, limit=1 << 20)
        for port in settings["ports"]
    ]
    with contextlib.suppress(FileNotFoundError):
        os.unlink(bus)
    servers.append(await asyncio.start_unix_server(relay(gateway, settings["bus_port"]), bus))
    os.chmod(bus, 0o666)
    await asyncio.gather(*(server.serve_forever() for server in servers))


with open(sys.argv[1]) as stream:
    asyncio.run(main(json.load(stream)))
