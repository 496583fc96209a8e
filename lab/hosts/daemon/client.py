"""Ask the machine daemon of a lab. Standard library only: the hypervisor driver imports it, too."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lab.errors import LabError
from lab.paths import LabPaths


class MachineError(LabError):
    """The daemon refused or failed; the message says what and why."""


class DaemonUnreachable(MachineError):
    """No machine daemon listens on the lab's control socket."""


class Completed(NamedTuple):
    """A command that ran in a machine."""

    returncode: int
    stdout: str
    stderr: str


class MachinesClient:
    """Control of all machines of one lab: `MachinesClient(LabPaths.of("default")).run("compute-0", ["lspci"])`."""

    def __init__(self, paths: LabPaths) -> None:
        self.socket_path = paths.sockets / "machines.sock"

    def ping(self) -> dict[str, Any]:
        """The daemon's own state: `{"pid": 123, "machines": 4, "running": 4}`."""
        return dict(self._ask("ping"))

    def list(self) -> list[dict[str, Any]]:
        """`state()` of every machine."""
        return list(self._ask("list"))

    def state(self, name: str) -> dict[str, Any]:
        """`{"name", "kind", "hostname", "power": "on"|"off", "running": bool, "pid", "boot_id", "addresses": […],
        "host_keys": ["ssh-ed25519 AAAA…"]}`.
        """
        return dict(self._ask("state", name=name))

    def define(
        self,
        name: str,
        declaration: Mapping[str, Any],
        image: Path | str | None = None,
        seed: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Create the machine, off. Defining it again with other hardware changes the hardware at its next boot.

        For a guest the declaration is `{"kind": "guest", "uuid", "hostname", "host", "vcpus", "memory_mb",
        "gpus": [addresses on the host], "ports": [neutron port ids], "firmware": {…}?}`; `image` is the
        downloaded Glance image and `seed` the cloud-init data.
        """
        image_text = None if image is None else str(image)
        return dict(
            self._ask("define", name=name, declaration=dict(declaration), image=image_text, seed=seed and dict(seed))
        )

    def boot(self, name: str) -> dict[str, Any]:
        """Switch it on and wait until its kernel and init run."""
        return dict(self._ask("boot", name=name))

    def shutdown(self, name: str) -> dict[str, Any]:
        """Switch it off, at once."""
        return dict(self._ask("shutdown", name=name))

    def reboot(self, name: str) -> dict[str, Any]:
        """Firmware, boot loader and kernel run again; open connections drop."""
        return dict(self._ask("reboot", name=name))

    def pause(self, name: str) -> dict[str, Any]:
        """Stop its processors: none of its programs runs, and logins wait."""
        return dict(self._ask("pause", name=name))

    def unpause(self, name: str) -> dict[str, Any]:
        """Let its processors run again."""
        return dict(self._ask("unpause", name=name))

    def destroy(self, name: str) -> None:
        """Switch it off and delete its directory. Does nothing if it is absent."""
        self._ask("destroy", name=name)

    def console(self, name: str) -> str:
        """The serial console's text since the machine was defined."""
        return str(self._ask("console", name=name))

    def run(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        stdin: str | bytes | None = None,
        timeout_s: float | None = None,
        user: str = "root",
    ) -> Completed:
        """Run `argv` in the running machine as `user`, in that user's home. MachineError when it is off or
        when the command takes longer than `timeout_s`.
        """
        data = stdin.encode() if isinstance(stdin, str) else stdin
        answer = self._ask(
            "run",
            name=name,
            argv=list(argv),
            env=dict(env or {}),
            stdin=None if data is None else base64.b64encode(data).decode(),
            timeout_s=timeout_s,
            user=user,
        )
        out, err = (base64.b64decode(answer[key]).decode(errors="replace") for key in ("stdout", "stderr"))
        return Completed(answer["returncode"], out, err)

    def _ask(self, operation: str, **arguments: Any) -> Any:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(str(self.socket_path))
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise DaemonUnreachable(f"no machine daemon answers at {self.socket_path}") from error
            connection.sendall(json.dumps({"op": operation, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
        if not line:
            raise MachineError(f"the machine daemon closed the connection during {operation!r}")
        answer = json.loads(line)
        if "error" in answer:
            raise MachineError(answer["error"])
        return answer["result"]
