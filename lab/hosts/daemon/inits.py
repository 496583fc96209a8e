"""The init process of each running machine: started in namespaces of its own, entered to run commands, ended."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.hosts.layout import MachineDir
from lab.paths import LabPaths

START_LIMIT_S = 30
STOP_LIMIT_S = 5
MACHINE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Inits:
    """The init processes of one lab's machines, by name of the machine."""

    def __init__(self, paths: LabPaths, marker: str) -> None:
        self.pids: dict[str, int] = {}
        self._paths = paths
        self._marker = marker

    def is_running(self, name: str) -> bool:
        """Whether the machine's init is alive."""
        pid = self.pids.get(name)
        return pid is not None and _is_alive(pid, self._marker)

    def start(self, name: str) -> None:
        """Start the machine's init and wait until it has its file systems.

        Raises:
            LabError: it does not start.
        """
        directory = MachineDir(self._paths, name)
        lower = ":".join(str(path) for path in [*directory.usr_layers(), self._paths.userland / "usr"])
        title = f"{self._marker}:machine:{name}"
        command = [sys.executable, "-S", "-m", "lab.hosts.daemon.namespaces", str(directory.root), lower, title]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_LIMIT_S, check=False)
        if done.returncode:
            raise LabError(f"{name} does not start: {done.stderr.strip().splitlines()[-1]}")
        self.pids[name] = int(done.stdout)
        self._pid_file(name).write_text(done.stdout)
        deadline = time.monotonic() + START_LIMIT_S
        while not os.path.exists(f"/proc/{self.pids[name]}/root/run/lab/started"):
            if time.monotonic() > deadline or not self.is_running(name):
                raise LabError(f"{name} does not start; its init ended")
            time.sleep(0.002)

    def stop(self, name: str) -> None:
        """End the init, and with it every process of the machine."""
        pid = self.pids.pop(name, None) or self.left_by_former_daemon(name)
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + STOP_LIMIT_S
        while _is_alive(pid, self._marker) and time.monotonic() < deadline:
            time.sleep(0.005)

    def left_by_former_daemon(self, name: str) -> int | None:
        """The pid of an init that an earlier daemon started and that still runs; None if there is none."""
        file = self._pid_file(name)
        if not file.exists():
            return None
        pid = int(file.read_text())
        return pid if _is_alive(pid, f"{self._marker}:machine:{name}") else None

    def dead(self) -> list[str]:
        """Machines whose init ended without being stopped."""
        return [name for name, pid in list(self.pids.items()) if not _is_alive(pid, self._marker)]

    def _pid_file(self, name: str) -> Path:
        return self._paths.machines / name / "init.pid"

    def enter(self, name: str) -> list[str]:
        """The command before a command of the machine."""
        flags = ["-U", "-m", "-p", "-u", "-i", "-S", "0", "-G", "0"]
        clock = ["-T"] if os.path.exists("/proc/self/ns/time") else []
        return ["nsenter", "-t", str(self.pids[name]), *flags, *clock, "--"]

    def enter_home(self, name: str, argv: list[str]) -> list[str]:
        """The command that runs `argv` in the machine, in root's home."""
        return [*self.enter(name), "/bin/sh", "-c", 'cd; exec "$@"', "sh", *argv]

    def run(
        self,
        name: str,
        argv: list[str],
        env: dict[str, str] | None = None,
        stdin: str | None = None,
        timeout_s: float | None = None,
        user: str = "root",
    ) -> dict[str, Any]:
        """Run a command in the machine; stdin and the two answers are base64.

        Raises:
            LabError: the machine is off, or the command takes longer than `timeout_s`.
        """
        if not self.is_running(name):
            raise LabError(f"{name} is switched off")
        command = argv if user == "root" else ["/usr/bin/sudo", "-H", "-u", user, "--", *argv]
        variables = {"PATH": MACHINE_PATH, "HOME": "/root", "LANG": "C.UTF-8", **(env or {})}
        try:
            done = subprocess.run(
                self.enter_home(name, command),
                input=base64.b64decode(stdin) if stdin else b"",
                capture_output=True,
                timeout=timeout_s,
                env=variables,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"{' '.join(argv)[:100]} on {name} ran longer than {timeout_s} s") from None
        streams = {
            key: base64.b64encode(data).decode() for key, data in (("stdout", done.stdout), ("stderr", done.stderr))
        }
        return {"returncode": done.returncode, **streams}


def _is_alive(pid: int, marker: str) -> bool:
    try:
        return marker in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return False
