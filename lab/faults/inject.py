"""Put a fault into a running lab, and take it out again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from typing import Any

from lab.errors import LabError
from lab.faults.fault import Fault
from lab.hosts.client import MachinesClient
from lab.hosts.layout import MachineDir
from lab.services import control
from lab.state import LabState

SAVED = "/var/tmp/before-fault"


class Injector:
    """Breaks and mends one lab."""

    def __init__(self, state: LabState) -> None:
        self.state = state
        self.client = MachinesClient(state.paths)
        self._files: list[tuple[str, str]] = []
        self._machines: dict[str, str] = {}

    def inject(self, fault: Fault) -> None:
        """Carry out the steps in their order.

        Raises:
            LabError: a step failed; the fault is not in.
        """
        for step in fault.inject:
            self._step(step)

    def mend(self, fault: Fault) -> None:
        """Take the fault out: own steps first, then every saved file and machine."""
        for host, file in reversed(self._files):
            self._shell(host, f"cp -a {SAVED}{shlex.quote(file)} {shlex.quote(file)}")
        for host, text in self._machines.items():
            self._write_machine(host, text)
            self.client.reboot(host)
        self._files, self._machines = [], {}
        for step in fault.mend:
            self._step(step)
        again = dict.fromkeys(str(step["restart"]) for step in fault.inject if "restart" in step)
        if again:  # they run on the broken files still
            control.restart(self.state, list(again))

    def _step(self, step: dict[str, Any]) -> None:
        host = str(step.get("on", ""))
        if "run" in step:
            self._save(host, step.get("save", ()))
            self._shell(self._machine(host), str(step["run"]))
        elif "hardware" in step:
            self._hardware(self._machine(host), step["hardware"])
        elif "restart" in step:
            control.restart(self.state, [str(step["restart"])])
        elif "reboot" in step:
            self.client.reboot(self._machine(str(step["reboot"])))

    def _machine(self, name: str) -> str:
        """A machine by its name; an instance also by the end of its host name."""
        known = [machine["name"] for machine in self.client.list()]
        if name in known:
            return name
        for candidate in known:
            data = json.loads(MachineDir(self.state.paths, candidate).machine_file.read_text())
            if str(data.get("name", "")).endswith(f"-{name}"):
                return str(candidate)
        raise LabError(f"there is no machine {name}; known are {', '.join(known)}")

    def _save(self, host: str, files: Iterable[str]) -> None:
        machine = self._machine(host)
        for file in files:
            quoted = shlex.quote(file)
            self._shell(machine, f"mkdir -p $(dirname {SAVED}{quoted}) && cp -a {quoted} {SAVED}{quoted}")
            self._files.append((machine, file))

    def _shell(self, machine: str, command: str) -> None:
        done = self.client.run(machine, ["/bin/bash", "-c", command], timeout_s=60)
        if done.returncode:
            raise LabError(f"{machine}: {command}: exit code {done.returncode}: {done.stdout}{done.stderr}")

    def _hardware(self, machine: str, changes: dict[str, Any]) -> None:
        """Change what machine.json says, then start the machine with it."""
        text = MachineDir(self.state.paths, machine).machine_file.read_text()
        self._machines.setdefault(machine, text)
        data = json.loads(text)
        for path, value in changes.items():
            _set(data, path, value)
        self._write_machine(machine, json.dumps(data, indent=1))
        self.client.reboot(machine)

    def _write_machine(self, machine: str, text: str) -> None:
        # the file is mounted into the running machine: its inode stays
        MachineDir(self.state.paths, machine).machine_file.write_text(text)


def _set(data: Any, path: str, value: Any) -> None:
    """Set `firmware.iommu` or `gpus[0].link.width`."""
    words = [int(word) if word.isdigit() else word for word in re.findall(r"[^.\[\]]+", path)]
    for word in words[:-1]:
        data = data[word]
    data[words[-1]] = value
