"""A host in kolla-ansible's layout on this machine: real processes and files, and a `docker` that knows their pids.

Its processes have a pid namespace of their own: labs and clouds that run beside on this machine are none of its.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from access.host import CommandOutput
from access.local_host import LocalHost
from cloud_file.deployer import Deployer, load_deployer

PROGRAM = "import signal\nprint(flush=True)\nsignal.pause()\n"
DOCKER = """#!/bin/sh
for name; do :; done
pid=$(cat {folder}/pids/$name 2>/dev/null) || {{ echo "Error: No such object: $name" >&2; exit 1; }}
case "$*" in
  *State.Pid*) echo $pid ;;
  *StartedAt*)
    echo "true $(cat {folder}/restarts 2>/dev/null || echo false 0)" \
      "$(date -u -d @$(stat -c %Y {folder}/pids/$name) +%FT%T.000000000Z)" ;;
  logs*) cat {folder}/printed ;;
  *) exit 125 ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
case "$*" in
  *MainPID*) echo 0 ;;
  *) printf 'LoadState=not-found\\nActiveState=inactive\\nActiveEnterTimestamp=\\n' ;;
esac
"""
BEFORE = time.time() - 3600


class KollaHost:
    """Commands run among its own processes, with its own docker and systemctl first in PATH; only root can make it."""

    name = "control-1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._host = LocalHost("here")
        self._pids: list[int] = []
        self._init = subprocess.Popen(
            [
                "unshare",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "/bin/sh",
                "-c",
                "echo; exec sleep infinity",
            ],
            stdout=subprocess.PIPE,
        )
        assert self._init.stdout is not None
        self._init.stdout.readline()
        inside = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text(encoding="utf-8").split()[0]
        self._enter = ["nsenter", "--target", inside, "--pid", "--mount", "--"]
        for place in ("bin", "pids"):
            (folder / place).mkdir()
        for name, text in (("docker", DOCKER), ("systemctl", SYSTEMCTL)):
            self._program(folder / "bin" / name, text.format(folder=folder) if name == "docker" else text)

    def _program(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        path = f"{shlex.quote(str(self.folder / 'bin'))}:$PATH"
        return self._host.run(self._inside(f"PATH={path}; export PATH\n{command}"), timeout_s=timeout_s)

    def _inside(self, command: str) -> str:
        return shlex.join([*self._enter, "/bin/sh", "-c", command])

    def written(self, service: str) -> Path:
        """The file that kolla-ansible writes."""
        return self.folder / "kolla" / service / "nova.conf"

    def inside(self, service: str) -> Path:
        """The copy that the container made of it when it started."""
        return self.folder / "containers" / service / "nova.conf"

    def has(self, service: str, text: str, *, copied: str | None = None) -> None:
        """A service's file as it was an hour ago, and what its container copied then."""
        for path, content in (
            (self.written(service), text),
            (self.inside(service), text if copied is None else copied),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            os.utime(path, (BEFORE, BEFORE))

    def start(self, service: str, *, in_container: bool = True) -> None:
        """Run a process with the command line of the service."""
        program = self.folder / "bin" / service
        program.write_text(PROGRAM, encoding="utf-8")
        words = [sys.executable, "-S", str(program), "--config-file", str(self.inside(service))]
        started = subprocess.Popen(
            [*self._enter, "/bin/sh", "-c", f"echo $$; exec {shlex.join(words)}"], stdout=subprocess.PIPE, text=True
        )
        assert started.stdout is not None
        pid = int(started.stdout.readline())
        started.stdout.readline()  # it is the program now
        self._pids.append(pid)
        if in_container:
            (self.folder / "pids" / service.replace("-", "_")).write_text(str(pid), encoding="utf-8")

    def was_restarted(self, times: int, printed: str, *, waits: bool = False) -> None:
        """Docker started its containers again, so often, and waits before it does again; what they printed."""
        (self.folder / "restarts").write_text(f"{str(waits).lower()} {times}", encoding="utf-8")
        (self.folder / "printed").write_text(printed, encoding="utf-8")

    def stop(self) -> None:
        """End the services."""
        for pid in self._pids:
            self.run(f"kill -KILL {pid}; while [ -e /proc/{pid} ]; do :; done")
        self._pids.clear()

    def close(self) -> None:
        """End all processes."""
        self._init.kill()
        self._init.wait()

    def deployer(self, name: str = "kolla-ansible") -> Deployer:
        """A deployer with this host's paths."""
        found = load_deployer(name)
        services = {
            name: described.model_copy(update={"nova_conf": str(self.written(name)), "read_as": str(self.inside(name))})
            for name, described in found.services.items()
        }
        return found.model_copy(update={"services": services})


@contextmanager
def kolla_host(folder: Path) -> Iterator[KollaHost]:
    """The host while the block runs."""
    host = KollaHost(folder)
    try:
        yield host
    finally:
        host.close()
