"""How Nova's services run on a lab's hosts: under which unit or container, with which command, reading which files.

A service in a container reads copies that were made when it started, as kolla's images make them: what is changed on
the host afterwards has no effect before a restart.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.hosts.daemon.client import MachinesClient
from lab.hosts.layout import MachineDir
from lab.state import LabState

COMPUTE_PREFIX = "nova-compute-"
VOLUMES = "/var/lib/containers/lab"
SERVICES = ("nova-api", "nova-scheduler", "nova-conductor", "nova-compute")


@dataclass(frozen=True)
class Deployed:
    """One service on one host."""

    process: str
    """The lab's name of it, e.g. nova-compute-compute-0."""
    machine: str
    unit: str
    """Its systemd unit, without .service; that of its container where it is kept in one."""
    container: str | None
    command: tuple[str, ...]
    copies: tuple[tuple[str, str], ...]
    """What its container copies when it starts: paths of the host and inside; one that ends in / is a directory."""

    @property
    def kind(self) -> str:
        """Nova's own name of it."""
        return "nova-compute" if self.process.startswith(COMPUTE_PREFIX) else self.process

    @property
    def volume(self) -> str:
        """Where the host keeps the container's own files."""
        return f"{VOLUMES}/{self.container}"


def host_of(state: LabState, process: str) -> str:
    """The emulated host that a process belongs to."""
    return process.removeprefix(COMPUTE_PREFIX) if process.startswith(COMPUTE_PREFIX) else state.controller


def deployed(state: LabState, process: str) -> Deployed:
    """How a service of Nova runs on its host."""
    kind = "nova-compute" if process.startswith(COMPUTE_PREFIX) else process
    data = state.release_data["services"][kind]
    return Deployed(
        process=process,
        machine=host_of(state, process),
        unit=str(data["unit"]),
        container=data.get("container"),
        command=tuple(data["command"]),
        copies=tuple((str(outside), str(inside)) for outside, inside in data.get("copies", {}).items()),
    )


def all_on(state: LabState, machine: str) -> Iterator[Deployed]:
    """Nova's services on one machine."""
    names = [f"{COMPUTE_PREFIX}{machine}"] if machine in state.computes else []
    names += list(SERVICES[:3]) if machine == state.controller else []
    return (deployed(state, name) for name in names)


def copy_in(state: LabState, service: Deployed) -> None:
    """Give the container its files, as at its start."""
    machine = MachineDir(state.paths, service.machine)
    etc = machine.path(f"{service.volume}/etc")
    shutil.rmtree(etc / "nova", ignore_errors=True)
    (etc / "nova").mkdir(parents=True)
    for outside, inside in service.copies:
        target = etc.parent / inside.strip("/")
        files = machine.path(outside).glob("*.conf") if outside.endswith("/") else [machine.path(outside)]
        for file in (file for file in files if file.exists()):
            copy = target / file.name if inside.endswith("/") else target
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def files_of(state: LabState, service: Deployed) -> list[Path]:
    """The files that the service reads, in its order: as its command says, or where oslo.config looks without that."""
    machine = MachineDir(state.paths, service.machine)

    def seen(path: str) -> Path:
        own = service.container and path.startswith("/etc/")
        return machine.path(service.volume + path if own else path)

    words = service.command
    given = [
        (name, value) for name, _, value in (word.partition("=") for word in words) if name.startswith("--config-")
    ]
    names = {name for name, _ in given}
    defaults = [("--config-file", f"/etc/nova/{name}.conf") for name in ("nova", service.kind)]
    defaults = [*(defaults if "--config-file" not in names else ())]
    defaults += [("--config-dir", "/etc/nova/nova.conf.d")] if "--config-dir" not in names else []
    found: list[Path] = []
    for kind, path in (*defaults, *given):
        found += [seen(path)] if kind == "--config-file" else sorted(seen(path).glob("*.conf"))
    return [file for file in found if file.exists()]


def pid_of(state: LabState, service: Deployed) -> int:
    """The pid of the service's process in its machine.

    Raises:
        LabError: it cannot be started there.
    """
    machine = json.loads(MachineDir(state.paths, service.machine).machine_file.read_text())
    asked = {
        "name": service.container or service.unit,
        "argv": service.command,
        "volume": service.volume if service.container else None,
        "sees_sys": not machine.get("container_without_sys"),
    }
    done = MachinesClient(state.paths).run(service.machine, ["/usr/local/lib/lab/nova-process", json.dumps(asked)])
    if done.returncode:
        raise LabError(done.stderr.strip())
    return int(done.stdout)
