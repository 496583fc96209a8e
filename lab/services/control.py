"""Starts, stops and restarts a lab."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable

from lab.errors import LabError, ServiceEnded
from lab.files import remove_tree
from lab.hosts.daemon.client import MachineError, MachinesClient
from lab.hosts.hardware import declaration
from lab.metal import tier
from lab.paths import REPOSITORY, LabPaths, called
from lab.services import configuration, processes, readiness, schema
from lab.services.deployed import show_all
from lab.services.registry import services
from lab.state import SSH_PORT, LabState, load, write_private
from lab.undercloud import contents


def up(state: LabState, say: Callable[[str], None]) -> None:
    """Make what is missing of a lab and start it, also after a start that was killed.

    Raises:
        LabError: a database cannot be made, or a service does not answer.
    """
    state.paths.sockets.mkdir(mode=0o700, exist_ok=True)
    write_configuration(state)
    schema.create_all(state)
    start(state, say)


def write_configuration(state: LabState) -> None:
    """Write the services' base configuration again."""
    for name in ("locks", "cache"):
        (state.paths.state / name).mkdir(exist_ok=True, mode=0o700)
    for service in services():
        for name, sections in service.configuration(state).items():
            configuration.write(state, name, sections)


def start(state: LabState, say: Callable[[str], None]) -> None:
    """Start what does not run and wait until all answer.

    Raises:
        LabError: a service ended or did not answer in time; names its log.
    """
    state.paths.sockets.mkdir(mode=0o700, exist_ok=True)
    started = time.time()
    alive = processes.running(state)
    if "bus" not in alive:
        _start_bus(state)
    if "machines" not in alive:
        start_machines(state)
    metal = tier.start(state)
    fresh = [service for service in services() if not alive.keys() & set(service.processes(state))]
    parents = {
        service.name: processes.python(state, service.name, "lab.services.process", service.name, state.paths.name)
        for service in fresh
    }
    readiness.wait_for_apis(state, parents)
    readiness.wait_for_reports(state, [name for service in fresh for name in service.processes(state)], started)
    tier.wait(state, metal, started)
    show_all(state)
    say(f"control plane ready after {time.time() - started:.1f} s")


def start_machines(state: LabState) -> None:
    """Start the machine daemon, define and boot every declared host.

    Raises:
        LabError: the daemon does not answer, or a machine cannot be started.
    """
    process = processes.python(state, "machines", "lab.hosts.daemon.server", state.paths.name)
    processes.write_pid(state, "machines", process.pid)
    client = MachinesClient(state.paths)
    readiness.wait_for(lambda: _pings(client), "machines", state)
    known = []
    try:
        for host in state.emulated:
            name = str(host["name"])
            answer = client.define(name, declaration.host_machine(host, state.host_addresses[name]))
            known += [f"[{state.host_addresses[name]}]:{SSH_PORT} {key}" for key in answer["host_keys"]]
        contents.populate(state)
        for host in state.emulated:
            client.boot(str(host["name"]))
    except MachineError as error:
        raise LabError(str(error)) from error
    known += tier.known_hosts(state)
    write_private(state.paths.state / "known_hosts", "\n".join(known) + "\n")
    write_private(state.paths.connection_file, json.dumps(state.connection(), indent=1))


def _pings(client: MachinesClient) -> bool:
    try:
        return bool(client.ping())
    except (MachineError, OSError):
        return False


def _start_bus(state: LabState) -> None:
    broker = REPOSITORY / "lab" / "plugins" / "labcloud" / "broker.py"
    process = processes.script(state, "bus", broker, str(state.paths.sockets / "bus.sock"))
    processes.write_pid(state, "bus", process.pid)


def stop(state: LabState) -> None:
    """End every process of the lab: with SIGTERM, and what is left then with SIGKILL."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes.everything(state):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
        deadline = time.monotonic() + readiness.STOP_TIMEOUT_S
        while processes.everything(state) and time.monotonic() < deadline:
            time.sleep(readiness.POLL_S / 2)
    for file in state.paths.sockets.glob("*"):
        file.unlink()


def restart(state: LabState, wanted: Iterable[str]) -> None:
    """Restart single processes on the configuration that is there now, and wait until they are ready.

    Raises:
        ServiceEnded: one ended at its start.
        LabError: one does not run, or does not come back.
    """
    try:
        _restart(state, list(wanted))
    finally:
        show_all(state)


def _restart(state: LabState, names: list[str]) -> None:
    running, down = processes.running(state), processes.ended_at_start(state, names)
    missing = [name for name in names if name not in running and name not in down]
    if missing:
        raise LabError(f"not running: {', '.join(missing)}; see {called('status')}")
    started = time.time()
    for name in names:
        if name in running:
            os.kill(running[name], signal.SIGTERM)
    for service in services():
        if set(down) & set(service.processes(state)):
            os.kill(running[processes.parent_of(service.name)], signal.SIGUSR1)
    readiness.wait_for_new(state, {name: running.get(name, 0) for name in names})
    for name in names:
        readiness.wait_for(lambda name=name: readiness.is_answering(state, name), name, state)  # type: ignore[misc]
    readiness.wait_for_reports(state, names, started)


def restart_to_end(state: LabState, name: str) -> None:
    """Restart a process whose configuration keeps it from running, and wait until it is not tried again.

    Raises:
        LabError: it runs all the same.
    """
    try:
        restart(state, [name])
        readiness.wait_for_end(state, name)
    except ServiceEnded:
        return
    raise LabError(f"{name} was to end at its start, and runs")


def remove_machines(state: LabState) -> None:
    """Delete every machine's disk. Nothing of the lab may run."""
    for directory in state.paths.machines.iterdir() if state.paths.machines.exists() else ():
        remove_tree(directory)
    shutil.rmtree(state.paths.state / "metal", ignore_errors=True)


def destroy(paths: LabPaths) -> None:
    """Stop a lab and delete all that there is of it."""
    state = load(paths) if (paths.state / "lab.json").exists() else LabState(paths, "", {})
    stop(state)
    if paths.state.exists():
        remove_tree(paths.state)
    shutil.rmtree(paths.sockets, ignore_errors=True)
