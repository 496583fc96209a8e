"""The SSH ports of a lab's machines: each connection goes to a real sshd inside the machine that has the address."""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.state import SSH_PORT

BACKLOG = 64


@dataclass(frozen=True)
class Sshd:
    """How to start the sshd of one machine for one connection."""

    command: list[str]
    environment: dict[str, str]
    log: Path
    """The log that sshd appends to; made if it is missing."""


class SshFront:
    """Listens on addresses, and asks `sshd_at` what to start for a connection to one of them (None: drop it)."""

    def __init__(self, selector: selectors.BaseSelector, sshd_at: Callable[[str], Sshd | None]) -> None:
        self._selector = selector
        self._sshd_at = sshd_at
        self._listeners: dict[str, socket.socket] = {}

    def listen(self, address: str) -> None:
        """Accept connections to the address; the selector's data for it is a callable without arguments.

        Raises:
            OSError: the address cannot be bound.
        """
        if address in self._listeners:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, SSH_PORT))
        listener.listen(BACKLOG)
        listener.setblocking(False)
        self._listeners[address] = listener
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(address, listener))

    def unlisten(self, address: str) -> None:
        """Accept no more connections to the address; existing ones stay."""
        listener = self._listeners.pop(address, None)
        if listener is not None:
            self._selector.unregister(listener)
            listener.close()

    def _accept(self, address: str, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = listener.accept()
            connection.setblocking(True)
            threading.Thread(target=self._serve, args=(address, connection), daemon=True).start()

    def _serve(self, address: str, connection: socket.socket) -> None:
        with connection:
            sshd = self._sshd_at(address)
            if sshd is None:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sshd.log.touch()
            process = subprocess.Popen(
                sshd.command,
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=sshd.environment,
            )
        process.wait()
