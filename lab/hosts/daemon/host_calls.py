"""Host calls: programs in machines that the lab carries out outside, e.g. `systemctl` and `openstack`.

A program of a machine sends its arguments and its stdio through a socket and waits for the exit code.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.paths import LabPaths

REQUEST_LIMIT_BYTES = 1 << 20
STDIO = 3


class HostCalls:
    """The sockets of one lab's machines, and the process that carries out what is asked there."""

    def __init__(self, paths: LabPaths, pids: Mapping[str, int], power: Callable[[str, str], None]) -> None:
        self.paths = paths
        self.pids = pids
        """Pid by name of each machine's init."""
        self.power = power
        self._listeners: dict[str, socket.socket] = {}
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def open(self, name: str) -> None:
        """Listen for a machine's calls."""
        # the machine's directory may be too deep for a socket's name: bind it through a short one
        path = self.paths.machines / name / "hostcall.sock"
        short = self._socket(name)
        short.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(short))
        os.chmod(short, 0o666)  # any user of the machine may call; the directory is 0700 outside
        os.link(short, path) if _same_device(short, path.parent) else _bind_in(listener, short, path)
        listener.listen(16)
        self._listeners[name] = listener
        threading.Thread(target=self._serve, args=(name, listener), daemon=True).start()

    def close(self, name: str) -> None:
        """Listen no more."""
        listener = self._listeners.pop(name, None)
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        self._socket(name).unlink(missing_ok=True)

    def _socket(self, name: str) -> Path:
        return self.paths.sockets / f"call-{name[:40]}.sock"

    def _serve(self, name: str, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(name, connection), daemon=True).start()

    def _answer(self, name: str, connection: socket.socket) -> None:
        with connection:
            data, descriptors = _receive(connection)
            try:
                code = self._carry_out(name, json.loads(data), descriptors, connection)
            except Exception as error:
                traceback.print_exc()
                with contextlib.suppress(OSError):
                    os.write(descriptors[2], f"{error}\n".encode())
                code = 1
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            with contextlib.suppress(OSError):
                connection.sendall(json.dumps({"code": code}).encode() + b"\n")

    def _carry_out(self, name: str, request: dict[str, Any], descriptors: list[int], connection: socket.socket) -> int:
        if request["argv"][0] == "power":
            threading.Thread(target=self.power, args=(name, request["argv"][1]), daemon=True).start()
            return 0
        variables = {**os.environ, **{key: value for key, value in request["env"].items() if key.startswith("OS_")}}
        variables |= {
            "LAB_NAME": self.paths.name,
            "LAB_MACHINE": name,
            "LAB_CWD": request["cwd"],
            "LAB_USER": request["user"],
            "LAB_UID": str(os.getuid()),
        }
        root_of = None if os.getuid() == 0 else self.pids[name]
        asked = json.dumps({"argv": request["argv"], "env": variables, "root_of": root_of}).encode()
        result, end = os.pipe()
        with open(result, encoding="ascii") as told:
            try:
                self._ask(asked, [*descriptors, end])
            finally:
                os.close(end)
            pid, ended = int(told.readline()), threading.Event()
            threading.Thread(target=_end_with_caller, args=(connection, pid, ended), daemon=True).start()
            code = int(told.readline() or 1)  # nothing when it was killed
            ended.set()
            return code

    def _ask(self, asked: bytes, descriptors: list[int]) -> None:
        with self._lock:
            if self._requests is None or self._server is None or self._server.poll() is not None:
                self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    self._server = subprocess.Popen(
                        [sys.executable, "-m", "lab.hosts.daemon.host_call_server"], stdin=theirs.fileno()
                    )
            socket.send_fds(self._requests, [asked], descriptors)


def _same_device(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def _bind_in(listener: socket.socket, short: Path, path: Path) -> None:
    """Bind again through /proc/self/fd of the directory, whose name is short."""
    short.unlink()
    directory = os.open(path.parent, os.O_DIRECTORY)
    try:
        fresh = socket.socket(socket.AF_UNIX)
        fresh.bind(f"/proc/self/fd/{directory}/{path.name}")
        os.chmod(path, 0o666)
        os.dup2(fresh.fileno(), listener.fileno())
        fresh.close()
    finally:
        os.close(directory)


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    data, descriptors, _, _ = socket.recv_fds(connection, REQUEST_LIMIT_BYTES, STDIO)
    while not data.endswith(b"\n"):
        more = connection.recv(REQUEST_LIMIT_BYTES)
        if not more:
            break
        data += more
    return data, descriptors


def _end_with_caller(connection: socket.socket, pid: int, ended: threading.Event) -> None:
    """A call ends when the program in the machine does: a dropped SSH session must not leave work behind."""
    with contextlib.suppress(OSError):
        if connection.recv(1) == b"" and not ended.is_set():
            os.killpg(pid, signal.SIGTERM)
