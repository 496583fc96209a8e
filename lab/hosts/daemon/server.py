"""The machine daemon of a lab: `python -m lab.hosts.daemon.server LAB MARKER`.

Listens on every machine's address and on the control socket. Standard library only; small on purpose.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from lab.errors import LabError
from lab.hosts import layout
from lab.hosts.daemon.floating_addresses import FloatingAddresses
from lab.hosts.daemon.inits import MACHINE_PATH
from lab.hosts.daemon.machines import Machines
from lab.hosts.daemon.ssh import Sshd, SshFront
from lab.paths import LabPaths
from lab.state import LabState, load

LOOK_AFTER_S = 1.0


class Server:
    """Puts the machines, their SSH ports and the floating addresses together."""

    def __init__(self, state: LabState) -> None:
        self._selector = selectors.DefaultSelector()
        self._ssh = SshFront(self._selector, self._sshd_at)
        self._machines = Machines(state, self._ssh.listen, self._ssh.unlisten)
        database = state.paths.databases / "neutron.db"
        self._floating = FloatingAddresses(database, self._ssh.listen, self._ssh.unlisten)
        self._control_path = state.paths.sockets / "machines.sock"
        self._operations: dict[str, Callable[..., Any]] = {
            "ping": self._machines.ping,
            "list": self._machines.states,
            "state": self._machines.state_of,
            "define": self._machines.define,
            "boot": self._machines.boot,
            "shutdown": self._machines.shutdown,
            "reboot": self._machines.reboot,
            "pause": self._machines.pause,
            "unpause": self._machines.unpause,
            "destroy": self._machines.destroy,
            "console": self._machines.console,
            "run": self._machines.run,
        }

    def serve(self) -> None:
        """Recover the machines, then answer until the process ends."""
        self._machines.recover()
        listener = self._listen_for_control()
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept_control(listener))
        threading.Thread(target=self._floating.watch, daemon=True).start()
        while True:
            for key, _ in self._selector.select(LOOK_AFTER_S):
                key.data()
            self._machines.look_after()

    def _sshd_at(self, address: str) -> Sshd | None:
        """The sshd of the machine that has the address; None if it does not run or a security group is closed."""
        name = self._floating.machine_at(address)
        if name is not None and not self._floating.allows_ssh(address):
            return None
        name = name or self._machines.machine_at(address)
        if name is None or not self._machines.inits.is_running(name) or self._machines.is_paused(name):
            return None
        log = "/var/log/sshd.log"
        command = [*self._machines.inits.enter(name), "/usr/sbin/sshd", "-i", "-E", log]
        return Sshd(command, {"PATH": MACHINE_PATH}, self._machines.directory(name).path(log))

    def _listen_for_control(self) -> socket.socket:
        self._control_path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._control_path))
        listener.listen(64)
        listener.setblocking(False)
        return listener

    def _accept_control(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.setblocking(True)
            with connection.makefile("rb") as stream:
                line = stream.readline()
            if not line:
                return
            with contextlib.suppress(OSError):
                connection.sendall(json.dumps(self._result(json.loads(line))).encode() + b"\n")

    def _result(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"result": self._operations[request.pop("op")](**request)}
        except LabError as error:
            return {"error": str(error)}
        except Exception as error:
            traceback.print_exc()
            return {"error": f"{type(error).__name__}: {error}"}


def main(arguments: list[str]) -> None:
    """Serve the lab called by the first argument until SIGTERM."""
    state = load(LabPaths.of(arguments[0]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    layout.copy_layers(state.paths)
    Server(state).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
