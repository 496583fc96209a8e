"""`python -m lab [--name NAME] COMMAND`."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from lab import state as lab_state
from lab.errors import LabError
from lab.hosts.daemon.client import MachineError, MachinesClient
from lab.hosts.hardware.declaration import check_declaration
from lab.metal import tier
from lab.paths import REPOSITORY, LabPaths
from lab.services import control
from lab.services.status import status
from lab.state import METAL, SSH_PORT, LabState
from lab.text import pass_on, say

DECLARATION = REPOSITORY / "lab" / "lab.yaml"
EMULATED = "emulated"
TIERS = {EMULATED: DECLARATION, METAL: REPOSITORY / "lab" / "declarations" / "metal.yaml"}
FAILED = 1


def run(arguments: list[str]) -> int:
    """Carry out one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    paths = LabPaths.of(options.name)
    paths.home.mkdir(parents=True, exist_ok=True)
    try:
        with (paths.home / f".{paths.name}.lock").open("w") as lock:
            if options.run in CHANGING:  # two processes must not start one lab at the same time
                fcntl.flock(lock, fcntl.LOCK_EX)
            return int(options.run(paths, options))
    except (LabError, MachineError) as error:
        say(f"error: {error}", sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description="The embedded cloud.")
    parser.add_argument("--name", default="default", help="name of the lab; several run side by side")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: Callable[[LabPaths, argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=function)
        return command

    up = add("up", _up, "make and start the lab, also after a run that was killed")
    up.add_argument("--declaration", type=Path, help=f"hosts and GPUs (default {DECLARATION.relative_to(REPOSITORY)})")
    up.add_argument("--tier", choices=sorted(TIERS), help="emulated hosts (default), or virtual machines with GPUs")
    up.add_argument("--release", help="TripleO release, instead of the declaration's")
    up.add_argument("--json", action="store_true", help="print how to reach the lab")
    add("down", _down, "stop every process; the state stays")
    add("status", _status, "what runs, what is wrong, where its log is")
    ssh = add("ssh", _ssh, "log in to a host or a guest")
    ssh.add_argument("host")
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    logs = add("logs", _logs, "print the log of a service")
    logs.add_argument("service")
    add("reset", _reset, "return to the state before any deploy")
    destroy = add("destroy", _destroy, "stop the lab and delete all of it")
    destroy.add_argument("--all", action="store_true", help="every lab of this checkout")
    restart = add("restart", _restart, "restart services on the configuration that is there now")
    restart.add_argument("services", nargs="+")
    return parser


def _up(paths: LabPaths, options: argparse.Namespace) -> int:
    state = _load_or_create(paths, options)
    control.up(state, lambda text: say(text, sys.stderr))
    if options.json:
        print(json.dumps(state.connection()))
    else:
        say(f"lab {paths.name}: undercloud stack@{state.host_addresses[state.hosts('Undercloud')[0]]}, port {SSH_PORT}")
    return 0


def _load_or_create(paths: LabPaths, options: argparse.Namespace) -> LabState:
    if (paths.state / "lab.json").exists():
        state = lab_state.load(paths)
        if options.release and options.release != state.release:
            raise LabError(
                f"lab {paths.name} has release {state.release}; "
                f"destroy it first, or name another: --name {options.release}"
            )
        return state
    declaration = yaml.safe_load((options.declaration or TIERS[options.tier or EMULATED]).read_text())
    if options.release:
        declaration["release"] = options.release
    known = sorted(path.stem for path in lab_state.RELEASES.glob("*.yaml"))
    layouts = sorted(path.stem for path in lab_state.LAYOUTS.glob("*.yaml"))
    if declaration.get("layout") and declaration["layout"] not in layouts:
        raise LabError(f"unknown layout {declaration['layout']}; known are {', '.join(layouts)}")
    if not declaration.get("layout") and declaration.get("release") not in known:
        raise LabError(f"unknown release {declaration.get('release')}; known are {', '.join(known)}")
    check_declaration(declaration)
    return lab_state.create(paths, declaration)


def _down(paths: LabPaths, _: argparse.Namespace) -> int:
    state = lab_state.load(paths)
    tier.power_off(state)
    control.stop(state)
    return 0


def _status(paths: LabPaths, _: argparse.Namespace) -> int:
    state = lab_state.load(paths)
    services = status(state)
    for service in services:
        verdict = service.detail or "ok"
        say(f"{service.name:28} {service.host:14} {service.resident_mib:7.1f} MiB  {verdict:30} {service.log}")
    try:
        for machine in MachinesClient(paths).list():
            verdict = "on" if machine["running"] else "off" if machine["power"] == "off" else "should run and does not"
            say(f"{machine['hostname']:28} {', '.join(machine['addresses']):14} {'':11}  {verdict}")
    except MachineError as error:
        say(error)
    say(f"{'together':28} {'':14} {sum(service.resident_mib for service in services):7.1f} MiB")
    return 0 if all(service.is_running and not service.detail for service in services) else FAILED


def _ssh(paths: LabPaths, options: argparse.Namespace) -> int:
    state = lab_state.load(paths)
    machine = _find_machine(MachinesClient(paths), options.host)
    user = "stack" if machine["kind"] == "undercloud" else "heat-admin"
    if machine["kind"] == "guest":
        argv = options.command or ["/bin/bash", "-l"]
        done = MachinesClient(paths).run(machine["name"], argv)
        pass_on(done.stdout, sys.stdout)
        pass_on(done.stderr, sys.stderr)
        return done.returncode
    address = machine["addresses"][0]
    files = ["-i", str(paths.secrets / "id_ed25519"), "-o", f"UserKnownHostsFile={paths.state / 'known_hosts'}"]
    os.execvp("ssh", ["ssh", *files, "-p", str(SSH_PORT), f"{user}@{address}", *options.command])
    return int(state is None)


def _find_machine(client: MachinesClient, name: str) -> dict[str, Any]:
    machines = client.list()
    for machine in machines:
        if name in (machine["name"], machine["hostname"]):
            return machine
    raise LabError(
        f"no machine called {name}; there are {', '.join(sorted(str(item['hostname']) for item in machines))}"
    )


def _logs(paths: LabPaths, options: argparse.Namespace) -> int:
    for suffix in (".log", ".out"):
        file = paths.logs / f"{options.service}{suffix}"
        if file.exists():
            say(file.read_text(errors="replace"), end="")
            return 0
    known = sorted({file.stem for file in paths.logs.glob("*.*")})
    raise LabError(f"no log of {options.service}; there are {', '.join(known)}")


def _reset(paths: LabPaths, options: argparse.Namespace) -> int:
    state = lab_state.load(paths)
    control.stop(state)
    control.remove_machines(state)
    for folder in (paths.databases, *(paths.state / name for name in ("nova", "images", "undercloud"))):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    options.declaration, options.release, options.tier, options.json = None, None, None, False
    return _up(paths, options)


def _destroy(paths: LabPaths, options: argparse.Namespace) -> int:
    names = [file.parent.name for file in paths.home.glob("*/lab.json")] if options.all else [paths.name]
    for name in names:
        control.destroy(LabPaths.of(name))
    return 0


def _restart(paths: LabPaths, options: argparse.Namespace) -> int:
    control.restart(lab_state.load(paths), options.services)
    return 0


CHANGING = (_up, _down, _reset, _destroy, _restart)
"""Commands that change a lab: one at a time."""
