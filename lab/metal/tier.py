"""Starts and stops the virtual machines of a lab beside its emulated ones."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

from lab.errors import LabError
from lab.hosts.hardware import declaration
from lab.metal import debian, disk, machine, seed
from lab.metal.layout import MetalDir
from lab.services import processes, readiness
from lab.state import SSH_PORT, LabState

CARDS_TIMEOUT_S = 20.0
POWER_OFF_TIMEOUT_S = 60.0
POLL_S = 0.1


def start(state: LabState) -> list[str]:
    """Start the machines that do not run; returns their names. They boot while the control plane starts.

    Raises:
        LabError: the disk cannot be made, or a machine ends at once.
    """
    if not state.metal:
        return []
    with _cache_lock(state):
        disk.build(state.paths)
    alive = processes.running(state)
    stopped = [name for name in state.metal if f"qemu-{name}" not in alive]
    for name in stopped:
        _make(state, name)
        _start_cards(state, name)
        _start_machine(state, name)
    return stopped


@contextlib.contextmanager
def _cache_lock(state: LabState) -> Iterator[None]:
    """Two labs must not make the common disk at the same time."""
    folder = state.paths.cache / "metal"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(state: LabState, name: str) -> None:
    directory = MetalDir(state.paths, name)
    directory.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not directory.seed.exists():
        seed.write(state, name, directory.seed)
    if not directory.disk.exists():
        disk.make_overlay(state.paths, directory.disk)


def _start_cards(state: LabState, name: str) -> None:
    directory = MetalDir(state.paths, name)
    gpus = declaration.host_machine(state.declared(name), state.host_addresses[name])["gpus"]
    sockets = [directory.socket_of(number) for number, _ in enumerate(gpus)]
    known = _cards(name)
    if known not in processes.running(state):
        for path in sockets:
            path.unlink(missing_ok=True)
        directory.cards.write_text(json.dumps(gpus))
        process = processes.python(state, known, "lab.metal.cards", state.paths.name, name)
        processes.write_pid(state, known, process.pid)
    deadline = time.monotonic() + CARDS_TIMEOUT_S
    while not all(path.exists() for path in sockets):
        if time.monotonic() > deadline:
            raise LabError(f"the cards of {name} do not answer; see {processes.log(state, known)}")
        time.sleep(POLL_S)


def _cards(name: str) -> str:
    """What the process with a machine's cards is called among the pid files."""
    return f"cards-{name}"


def stop_cards(state: LabState, name: str) -> None:
    """End the process with the cards of a machine that is off: its next start has those that are declared then.

    Raises:
        LabError: the machine runs, or the process does not end.
    """
    running = processes.running(state)
    if f"qemu-{name}" in running:
        raise LabError(f"{name} did not switch off; see {MetalDir(state.paths, name).console}")
    if _cards(name) in running:
        os.kill(running[_cards(name)], signal.SIGTERM)
    deadline = time.monotonic() + CARDS_TIMEOUT_S
    while _cards(name) in processes.running(state):
        if time.monotonic() > deadline:
            raise LabError(f"the cards of {name} do not end; see {processes.log(state, _cards(name))}")
        time.sleep(POLL_S)


def _start_machine(state: LabState, name: str) -> None:
    log = processes.log(state, f"qemu-{name}")
    with log.open("ab") as stream:
        process = subprocess.Popen(
            machine.command(state, name),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=debian.environment(debian.tree(state.paths)),
            cwd=state.paths.state,
            start_new_session=True,
        )
    processes.write_pid(state, f"qemu-{name}", process.pid)


def wait(state: LabState, names: list[str], since: float) -> None:
    """Wait until each machine answers by SSH and its nova-compute has reported after `since`, seconds since the epoch.

    Raises:
        LabError: one ended, or does not answer in time; names its console.
    """
    deadline = time.monotonic() + readiness.START_TIMEOUT_S
    for name in names:
        while not _greets(state.host_addresses[name]):
            console = MetalDir(state.paths, name).console
            if f"qemu-{name}" not in processes.running(state):
                raise LabError(f"{name} ended; see {processes.log(state, f'qemu-{name}')} and {console}")
            if time.monotonic() > deadline:
                raise LabError(f"{name} does not answer by SSH; see {console}")
            time.sleep(POLL_S)
    readiness.wait_for_reports(state, [f"nova-compute-{name}" for name in names], since)


def _greets(address: str) -> bool:
    """Whether an SSH server says who it is: QEMU takes the connection long before."""
    try:
        with socket.create_connection((address, SSH_PORT), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def power_off(state: LabState) -> None:
    """Press the power button of every machine, and wait until they are off; what is not off in time stays as it is."""
    pressed = []
    for name in state.metal:
        with contextlib.suppress(OSError):
            _press_power_button(MetalDir(state.paths, name))
            pressed.append(f"qemu-{name}")
    deadline = time.monotonic() + POWER_OFF_TIMEOUT_S
    while set(pressed) & processes.running(state).keys() and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _press_power_button(directory: MetalDir) -> None:
    """https://www.qemu.org/docs/master/interop/qmp-spec.html"""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(directory.control))
        with connection.makefile("rw") as stream:
            stream.readline()
            for execute in ("qmp_capabilities", "system_powerdown"):
                stream.write(json.dumps({"execute": execute}) + "\n")
                stream.flush()
                stream.readline()


def known_hosts(state: LabState) -> list[str]:
    """Lines for an SSH client's file of known hosts."""
    found = []
    for name in state.metal:
        public = seed.host_key(state, name).with_suffix(".pub").read_text()
        found.append(f"[{state.host_addresses[name]}]:{SSH_PORT} {' '.join(public.split()[:2])}")
    return found
