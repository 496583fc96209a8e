"""How Nova's services run on a lab's hosts: under which unit or container, with which command, reading which files.

A service in a container or pod reads copies that were made when it started: what is changed on the host afterwards has
no effect before a restart. Mounted directories it sees as they are now, and an LXC container has a disk of its own.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.hosts.daemon.client import MachineError, MachinesClient
from lab.hosts.layout import MachineDir
from lab.services import processes
from lab.state import LabState

COMPUTE_PREFIX = "nova-compute-"
VOLUMES = "/var/lib/containers/lab"
LXC = "/var/lib/lxc"
OWN = ("etc", "tmp")
"""Top directories that a container, a pod or an LXC container has for itself."""
SERVICES = ("nova-api", "nova-scheduler", "nova-conductor", "nova-compute")


@dataclass(frozen=True)
class Pod:
    """Where Kubernetes keeps a service."""

    name: str
    container: str
    """Of the pod, which may have several."""
    workload: str
    """What makes its pods, e.g. statefulset/nova-scheduler."""


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
    """What its container copies when it starts: paths of the host and inside.

    One that ends in / is a directory of *.conf, and the last part of one of the host may be a pattern.
    """
    mounts: tuple[tuple[str, str], ...] = ()
    """Directories of the host that its container sees as they are: paths of the host and inside."""
    pod: Pod | None = None
    lxc: str | None = None
    """Name of its LXC container."""

    @property
    def kind(self) -> str:
        """Nova's own name of it."""
        return "nova-compute" if self.process.startswith(COMPUTE_PREFIX) else self.process

    @property
    def volume(self) -> str | None:
        """Where the host keeps the files of its container, pod or LXC container; None if it sees the host's own."""
        if self.lxc:
            return f"{LXC}/{self.lxc}/rootfs"
        name = f"{self.pod.name}-{self.pod.container}" if self.pod else self.container
        return f"{VOLUMES}/{name}" if name else None

    @property
    def is_of_engine(self) -> bool:
        """Whether docker or podman of its host know its container."""
        return bool(self.container) and self.pod is None

    @property
    def is_unit_of_host(self) -> bool:
        """Whether systemd of its host knows its unit."""
        return self.pod is None and self.lxc is None


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
        mounts=tuple((str(outside), str(inside)) for outside, inside in data.get("mounts", {}).items()),
        pod=Pod(**data["pod"]) if "pod" in data else None,
        lxc=data.get("lxc"),
    )


def all_on(state: LabState, machine: str) -> Iterator[Deployed]:
    """Nova's services on one machine."""
    names = [f"{COMPUTE_PREFIX}{machine}"] if machine in state.computes else []
    names += list(SERVICES[:3]) if machine == state.controller else []
    return (deployed(state, name) for name in names)


def everywhere(state: LabState) -> Iterator[Deployed]:
    """Nova's services on all machines."""
    machines = dict.fromkeys((state.controller, *state.computes))
    return (service for machine in machines for service in all_on(state, machine))


def copy_in(state: LabState, service: Deployed) -> None:
    """Give the container its files, as at its start; an LXC container has them on its own disk."""
    if service.volume is None or service.lxc:
        return
    machine = MachineDir(state.paths, service.machine)
    root = machine.path(service.volume)
    for name in ("etc/nova", "tmp"):  # etc itself may be mounted
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True)
    for outside, inside in service.copies:
        target = root / inside.strip("/")
        folder, _, name = outside.rpartition("/")
        is_pattern = not name or "*" in name
        files = machine.path(folder).glob(name or "*.conf") if is_pattern else [machine.path(outside)]
        for file in (file for file in files if file.exists()):
            copy = target / file.name if inside.endswith("/") else target
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def files_of(state: LabState, service: Deployed) -> list[Path]:
    """The files that the service reads, in its order: as its command says, or where oslo.config looks without that."""
    machine = MachineDir(state.paths, service.machine)

    def seen(path: str) -> Path:
        mounted = next((outside for outside, inside in service.mounts if path.rstrip("/") == inside.rstrip("/")), None)
        own = service.volume if path.split("/")[1] in OWN else None
        return machine.path(mounted.rstrip("/") if mounted else (own or "") + path)

    given = list(_given(service.command))
    names = {name for name, _ in given}
    defaults = [("--config-file", f"/etc/nova/{name}.conf") for name in ("nova", service.kind)]
    defaults = [*(defaults if "--config-file" not in names else ())]
    defaults += [("--config-dir", "/etc/nova/nova.conf.d")] if "--config-dir" not in names else []
    found: list[Path] = []
    for kind, path in (*defaults, *given):
        found += [seen(path)] if kind == "--config-file" else sorted(seen(path).glob("*.conf"))
    return [file for file in found if file.exists()]


def _given(command: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What the command line says, as --config-file=PATH or in two words."""
    for number, word in enumerate(command):
        name, equals, value = word.partition("=")
        if name in ("--config-file", "--config-dir"):
            yield name, value if equals else command[number + 1]


def asked(state: LabState, service: Deployed) -> str:
    """What the machine's nova-process is asked for, as JSON."""
    machine = json.loads(MachineDir(state.paths, service.machine).machine_file.read_text())
    return json.dumps(
        {
            "name": service.process,
            "run": processes.running(state).get(service.process, 0),
            "argv": service.command,
            "volume": service.volume,
            "mounts": service.mounts,
            "sees_sys": not machine.get("container_without_sys"),
            "is_pod": service.pod is not None,
        }
    )


def pid_of(state: LabState, service: Deployed) -> int:
    """The pid of the service's process in its machine; 0 if the service does not run.

    Raises:
        LabError: it cannot be started there.
    """
    command = ["/usr/local/lib/lab/nova-process", asked(state, service)]
    done = MachinesClient(state.paths).run(service.machine, command)
    if done.returncode:
        raise LabError(done.stderr.strip())
    return int(done.stdout)


def show_all(state: LabState) -> None:
    """Let the machines of a layout show the processes of what runs, in place of those of earlier runs."""
    for service in everywhere(state) if state.layout else ():
        with contextlib.suppress(LabError, MachineError):  # the machine may be off
            pid_of(state, service)
