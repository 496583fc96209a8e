"""Machines of a lab of their own, without a control plane."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from lab import state as lab_state
from lab.hosts.daemon.client import MachineError, MachinesClient
from lab.hosts.hardware import declaration as hardware
from lab.paths import REPOSITORY

DECLARATION: dict[str, Any] = yaml.safe_load((REPOSITORY / "lab" / "lab.yaml").read_text())


class Machines:
    """A machine daemon and its client."""

    def __init__(self, state: lab_state.LabState) -> None:
        self.state = state
        self.paths = state.paths
        self.client = MachinesClient(state.paths)
        self.daemon = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the daemon and wait for its answer."""
        self.paths.sockets.mkdir(mode=0o700, exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GPU_LAB_HOME": str(self.paths.home)}
        with (self.paths.logs / "machines.log").open("ab") as log:
            command = [sys.executable, "-m", "lab.hosts.daemon.server", self.paths.name, self.state.marker]
            daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        for _ in range(1000):
            try:
                self.client.ping()
                return daemon
            except MachineError:
                time.sleep(0.01)
        raise AssertionError((self.paths.logs / "machines.log").read_text())

    def define(self, name: str, **changes: Any) -> str:
        """Define the declared compute host with changes, on an address of its own."""
        host = {**next(host for host in DECLARATION["hosts"] if host["name"] == "compute-0"), "name": name, **changes}
        hardware.check_declaration({"hosts": [*DECLARATION["hosts"][:2], host]})
        number = 50 + len(self.client.list())
        self.client.define(name, hardware.host_machine(host, f"{self.state.network}.0.{number}"))
        return name

    def sh(self, name: str, command: str, user: str = "root") -> str:
        """What a shell command prints in a machine; it must succeed."""
        done = self.client.run(name, ["/bin/bash", "-c", command], user=user)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def reboot_with(self, name: str, arguments: str) -> None:
        """Append to GRUB_CMDLINE_LINUX, make the boot loader's file again, reboot."""
        self.sh(name, f"sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{arguments} /' /etc/default/grub")
        self.sh(name, "grub2-mkconfig -o $(readlink -f /etc/grub2.cfg || readlink -f /etc/grub2-efi.cfg)")
        self.client.reboot(name)


def corpus(name: str) -> str:
    """A captured output of a real machine, where the captures are at hand."""
    file = REPOSITORY.parent / "shared" / "corpus" / name
    if not file.exists():
        pytest.skip(f"no capture {name} here")
    return file.read_text()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 15 s"
        time.sleep(0.02)
