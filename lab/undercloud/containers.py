"""docker and podman of the nodes: Nova's services of releases that run them in containers."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from lab.errors import LabError
from lab.hosts.daemon.client import MachinesClient
from lab.paths import LabPaths
from lab.services import control, processes
from lab.services.deployed import Deployed, all_on, pid_of
from lab.services.systemctl import started
from lab.state import LabState, load


def docker(arguments: list[str]) -> int:
    """`docker ps | inspect | restart | exec`."""
    return _engine("docker", arguments)


def podman(arguments: list[str]) -> int:
    """`podman ps | inspect | restart | exec`."""
    return _engine("podman", arguments)


def _engine(name: str, arguments: list[str]) -> int:
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    if state.release_data["containers"] != name:
        print(f"bash: {name}: command not found", file=sys.stderr)
        return 127
    on_machine = all_on(state, os.environ["LAB_MACHINE"])
    containers = {str(each.container): each for each in on_machine if each.is_of_engine}
    command, words = (arguments or ["help"])[0], arguments[1:]
    if command == "ps":
        return _ps(containers, words)
    names = [word for word in words if not word.startswith("-")]
    if command == "inspect" and names:
        return _inspect(state, name, names, containers)
    if command == "restart" and names:
        return _restart(state, name, names, containers)
    if command == "exec" and names:
        return _exec(state, name, words, containers)
    print(f"{name}: '{command}' is not a command of the lab's containers", file=sys.stderr)
    return 125


def _ps(containers: dict[str, Deployed], words: list[str]) -> int:
    if any("{{.Names}}" in word for word in words):
        print("\n".join(containers))
        return 0
    print("CONTAINER ID  IMAGE  COMMAND  NAMES")
    for number, container in enumerate(containers, start=1):
        print(f"{number:012x}  {container}:latest  kolla_start  {container}")
    return 0


def _missing(engine: str, name: str) -> int:
    print(
        f"Error: no such container {name}" if engine == "podman" else f"Error: No such object: {name}", file=sys.stderr
    )
    return 125 if engine == "podman" else 1


def _inspect(state: LabState, engine: str, words: list[str], containers: dict[str, Deployed]) -> int:
    """`inspect --format FORMAT NAME` of a container's pid; or whether it runs, restarts, how often, and since when."""
    name, form = words[-1], words[0]
    if name not in containers:
        return _missing(engine, name)
    moment = started(state, containers[name].process)
    if ".State.Pid" in form:
        print(pid_of(state, containers[name]) if moment else 0)
        return 0
    running, date = "true" if moment else "false", datetime.fromtimestamp(moment or 0, UTC)
    since = f"{date:%Y-%m-%d %H:%M:%S.%f} +0000 UTC" if engine == "podman" else f"{date:%Y-%m-%dT%H:%M:%S.%fZ}"
    print(running, "false", 0, since)
    return 0


def _restart(state: LabState, engine: str, names: list[str], containers: dict[str, Deployed]) -> int:
    for name in names:
        if name not in containers:
            return _missing(engine, name)
        try:
            control.restart(state, [containers[name].process])
        except LabError as error:
            print(f"Error: {error}", file=sys.stderr)
            return 125
        print(name)
    return 0


def _exec(state: LabState, engine: str, words: list[str], containers: dict[str, Deployed]) -> int:
    """`exec [-u USER] NAME COMMAND…`, in the file systems of the container's process."""
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in ("-u", "--user", "-e", "-w") else words[1:]
    name, command = words[0], words[1:]
    if name not in containers:
        return _missing(engine, name)
    if containers[name].process not in processes.running(state):
        print("Error: container is not running", file=sys.stderr)
        return 125
    return run_inside(state, containers[name], command)


def run_inside(state: LabState, service: Deployed, command: list[str]) -> int:
    """Run a command in the file systems of a service's process; what it prints is ours."""
    inside = ["/usr/sbin/chroot", f"/proc/{pid_of(state, service)}/root", *command]
    done = MachinesClient(state.paths).run(service.machine, inside)
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode
