"""docker and podman of the nodes: Nova's services of releases that run them in containers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

from lab.hosts.layout import MachineDir
from lab.paths import LabPaths
from lab.services import processes
from lab.services.systemctl import started
from lab.state import LabState, load

NOVA_CONF = "/etc/nova/nova.conf"


def docker(arguments: list[str]) -> int:
    """`docker ps | inspect | exec`."""
    return _engine("docker", arguments)


def podman(arguments: list[str]) -> int:
    """`podman ps | inspect | exec`."""
    return _engine("podman", arguments)


def _engine(name: str, arguments: list[str]) -> int:
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    if state.release_data["containers"] != name:
        print(f"bash: {name}: command not found", file=sys.stderr)
        return 127
    containers = _containers(state, os.environ["LAB_MACHINE"])
    command, words = (arguments or ["help"])[0], [word for word in arguments[1:] if not word.startswith("-")]
    if command == "ps":
        print("CONTAINER ID  IMAGE  COMMAND  NAMES")
        for number, container in enumerate(containers, start=1):
            print(f"{number:012x}  {container}:latest  kolla_start  {container}")
        return 0
    if command == "inspect" and words:
        return _inspect(state, name, words[-1], containers)
    if command == "exec" and words:
        return _exec(state, name, words, containers)
    print(f"{name}: '{command}' is not a command of the lab's containers", file=sys.stderr)
    return 125


def _containers(state: LabState, machine: str) -> dict[str, str]:
    """The lab's service by the name of its container, on one node."""
    if machine in state.computes:
        return {"nova_compute": f"nova-compute-{machine}"}
    if machine == state.controller:
        return {name.replace("-", "_"): name for name in ("nova-api", "nova-scheduler", "nova-conductor")}
    return {}


def _missing(engine: str, name: str) -> int:
    print(
        f"Error: no such container {name}" if engine == "podman" else f"Error: No such object: {name}", file=sys.stderr
    )
    return 125 if engine == "podman" else 1


def _inspect(state: LabState, engine: str, name: str, containers: dict[str, str]) -> int:
    if name not in containers:
        return _missing(engine, name)
    moment = started(state, containers[name])
    running = "true" if moment else "false"
    date = datetime.fromtimestamp(moment or 0, UTC)
    print(running, f"{date:%Y-%m-%d %H:%M:%S.%f} +0000 UTC" if engine == "podman" else f"{date:%Y-%m-%dT%H:%M:%S.%fZ}")
    return 0


def _exec(state: LabState, engine: str, words: list[str], containers: dict[str, str]) -> int:
    name, command = words[0], words[1:]
    if name not in containers:
        return _missing(engine, name)
    if containers[name] not in processes.running(state):
        print("Error: container is not running", file=sys.stderr)
        return 125
    role = "compute" if name == "nova_compute" else name.removeprefix("nova_")
    mounted = str(state.release_data["nova_conf"][role])
    machine = MachineDir(state.paths, os.environ["LAB_MACHINE"])
    if command[:1] == ["cat"] and command[1:]:
        files = [str(machine.path(mounted if file == NOVA_CONF else file)) for file in command[1:]]
        return subprocess.run(["cat", *files], check=False).returncode
    if command[:1] == ["ls"] and command[1:]:
        return _list(machine, command[1:])
    print(f"{engine}: the lab's containers run only cat and ls", file=sys.stderr)
    return 126


def _list(machine: MachineDir, paths: list[str]) -> int:
    """ls inside nova_compute; /sys is there only where the deploy mounts it into the container."""
    declared = json.loads(machine.machine_file.read_text())
    for path in paths:
        if path.startswith("/sys") and declared.get("container_without_sys"):
            continue
        folder = machine.sys / path.removeprefix("/sys/") if path.startswith("/sys/") else machine.path(path)
        if not folder.is_dir():
            print(f"ls: cannot access '{path}': No such file or directory", file=sys.stderr)
            return 2
        print("\n".join(sorted(item.name for item in folder.iterdir())))
    return 0
