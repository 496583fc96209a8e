"""Inject a fault into a running lab, and undo it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from typing import Any

from faults.fault import Fault
from lab.errors import LabError
from lab.hosts.daemon.client import MachinesClient
from lab.hosts.hardware import sysfs
from lab.hosts.layout import MachineDir
from lab.plugins.labcloud.domains import HOLDING, Domains
from lab.services import control
from lab.state import LabState

SAVED = "/var/tmp/before-fault"
STEP_LIMIT_S = 300
SAID_CHARS = 250
"""Of what a step printed: its end has the reason."""
ACT = """
id=$(openstack server list --all-projects --name '^{name}$' -f value -c ID) && [ -n "$id" ] || exit 3
openstack server {action} "$id"
for count in $(seq 100); do
    openstack server show "$id" -f value -c OS-EXT-STS:task_state 2>/dev/null | grep -qx None && exit 0
    openstack server show "$id" >/dev/null 2>&1 || exit 0
    sleep 0.3
done
exit 4
"""
"""Act on an instance and wait until Nova has no task for it any more; as administrator, whoever owns it."""
OVERCLOUDRC = "/home/stack/overcloudrc"
"""Of TripleO; other deployers have a file of their own."""


class Injector:
    """Breaks and repairs one lab."""

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

    def undo(self, fault: Fault) -> None:
        """Undo the fault: saved files and machines, then own steps, then what ran on broken files is restarted."""
        for host, file in reversed(self._files):
            saved, there = shlex.quote(SAVED + file), shlex.quote(file)
            self.shell(host, f"rm -rf {there}; [ ! -e {saved} ] || cp -a {saved} {there}; rm -rf {saved}")
        for host, text in self._machines.items():
            self._write_machine(host, text)
            self.client.reboot(host)
        rebooted = [*self._machines, *self._rebooted(fault)]
        self._files, self._machines = [], {}
        if any("nova" in step for step in fault.inject):
            self._nova([])
            self._forget_ghosts()
        for step in fault.mend:
            self._step(step)
        for name in self._rebooted(fault):
            self.client.reboot(name)
        for name in dict.fromkeys(rebooted):
            self._hold_again(name)
        again = dict.fromkeys(str(step["restart"]) for step in fault.inject if "restart" in step)
        if again:
            control.restart(self.state, list(again))

    def _rebooted(self, fault: Fault) -> list[str]:
        """Machines that the fault rebooted by steps of their own."""
        return [self._machine(name) for name in dict.fromkeys(str(s["reboot"]) for s in fault.inject if "reboot" in s)]

    def _hold_again(self, host: str) -> None:
        """The lab's guests outlive their host's reboot: their cards are on vfio-pci again."""
        machine = MachineDir(self.state.paths, host)
        for domain in Domains(machine).all():
            for address in domain.addresses if domain.state in HOLDING else ():
                sysfs.bind(machine.sys, address, "vfio-pci")

    def _step(self, step: dict[str, Any]) -> None:
        host = str(step.get("host", ""))
        if "run" in step:
            self._save(host, step.get("save", ()))
            self.shell(self._machine(host), str(step["run"]))
        elif "hardware" in step:
            self._hardware(self._machine(host), step["hardware"])
        elif "restart" in step:
            restart = control.restart_to_end if step.get("ends") else _restart
            restart(self.state, str(step["restart"]))
        elif "reboot" in step:
            self.client.reboot(self._machine(str(step["reboot"])))
        elif "nova" in step:
            self._nova(list(step["nova"]))
        elif "instance" in step:
            self.act(self._name_of(str(step["instance"])), str(step["action"]))

    def act(self, instance: str, action: str) -> None:
        """What `openstack server` does with an instance of this name, to its end.

        Raises:
            LabError: there is no such instance, or it does not end.
        """
        self.administer(ACT.format(name=instance, action=action))

    def administer(self, command: str) -> None:
        """Run a command with the administrator's credentials.

        Raises:
            LabError: it failed.
        """
        rc = self.state.release_data.get("administrator_rc", OVERCLOUDRC)
        self.shell(self.state.hosts("Undercloud")[0], f". {rc}\n{command}")

    def _name_of(self, instance: str) -> str:
        """What Nova calls an instance."""
        machine = MachineDir(self.state.paths, self._machine(instance))
        return str(json.loads(machine.machine_file.read_text())["name"])

    def _nova(self, faults: list[str]) -> None:
        """Faults of Nova itself, by name; see lab/plugins/labcloud/faults.py."""
        file = self.state.paths.state / "faults.json"
        if faults:
            file.write_text(json.dumps(faults))
        else:
            file.unlink(missing_ok=True)

    def _forget_ghosts(self) -> None:
        """Undefine domains whose guest is gone: no Nova knows them any more, and their cards stay taken."""
        machines = {machine["name"] for machine in self.client.list()}
        for host in machines:
            machine = MachineDir(self.state.paths, host)
            domains = Domains(machine)
            for ghost in (domain for domain in domains.all() if domain.uuid not in machines):
                for address in ghost.addresses:
                    sysfs.bind(machine.sys, address, None)
                domains.undefine(ghost.uuid)

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
        """Keep files as they are now; one that is not there is removed again."""
        machine = self._machine(host)
        for file in files:
            there, saved = shlex.quote(file), shlex.quote(SAVED + file)
            self.shell(
                machine, f"mkdir -p $(dirname {saved}); rm -rf {saved}; [ ! -e {there} ] || cp -a {there} {saved}"
            )
            self._files.append((machine, file))

    def shell(self, machine: str, command: str) -> None:
        """Run a command of root on a machine.

        Raises:
            LabError: it failed.
        """
        done = self.client.run(machine, ["/bin/bash", "-c", command], timeout_s=STEP_LIMIT_S)
        if done.returncode:
            said = f"{done.stdout}{done.stderr}".strip()[-SAID_CHARS:]
            first = command.strip().splitlines()[0]
            raise LabError(f"{machine}: exit code {done.returncode}: {said} (of: {first})")

    def _hardware(self, machine: str, changes: dict[str, Any]) -> None:
        """Change what machine.json says, then start the machine with it."""
        text = MachineDir(self.state.paths, machine).machine_file.read_text()
        self._machines.setdefault(machine, text)
        data = json.loads(text)
        for path, value in changes.items():
            set_path(data, path, value)
        self._write_machine(machine, json.dumps(data, indent=1))
        self.client.reboot(machine)

    def _write_machine(self, machine: str, text: str) -> None:
        # the file is mounted into the running machine: its inode stays
        MachineDir(self.state.paths, machine).machine_file.write_text(text)


def _restart(state: LabState, service: str) -> None:
    control.restart(state, [service])


def set_path(data: Any, path: str, value: Any) -> None:
    """Set `firmware.iommu`, `gpus[0].link.width`, or `gpus[*].ecc` for all."""
    words = re.findall(r"[^.\[\]]+", path)
    targets = [data]
    for word in words[:-1]:
        targets = [inner for target in targets for inner in _inner(target, word, path)]
    for target in targets:
        if isinstance(target, list):
            for index in range(len(target)) if words[-1] == "*" else [int(words[-1])]:
                target[index] = value
        else:
            target[words[-1]] = value


def _inner(target: Any, word: str, path: str) -> list[Any]:
    try:
        if isinstance(target, list):
            return list(target) if word == "*" else [target[int(word)]]
        return [target.setdefault(word, {})]
    except (IndexError, ValueError, AttributeError) as error:
        raise LabError(f"the machine has no {path}") from error
