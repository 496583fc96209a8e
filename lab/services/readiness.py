"""Waits until services answer and report."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable

from lab.errors import LabError, ServiceEnded
from lab.services import processes
from lab.services.registry import api_of, services
from lab.state import LabState

START_TIMEOUT_S = 180
STOP_TIMEOUT_S = 8
END_TIMEOUT_S = 45
POLL_S = 0.1


def answers(url: str) -> bool:
    """Whether an API answers without a server error."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  an http URL of ours
            response.read()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def is_answering(state: LabState, process: str) -> bool:
    """Whether a process answers HTTP; True for one that has no API."""
    service = api_of(process)
    return service is None or answers(service.url(state) + "/")


def wait_for_apis(state: LabState, parents: dict[str, subprocess.Popen[bytes]]) -> None:
    """Wait until the API of every service answers; `parents` are the service's parent processes that start now.

    Raises:
        LabError: a parent ended, or an API does not answer in time; names its log.
    """
    waiting = {service.api for service in services()}
    deadline = time.monotonic() + START_TIMEOUT_S
    while waiting:
        waiting = {process for process in waiting if not is_answering(state, process)}
        for name, process in parents.items():
            if process.poll() is not None:
                raise LabError(f"{name} ended with code {process.returncode}; see {processes.log(state, name)}")
        if time.monotonic() > deadline:
            names = ", ".join(sorted(waiting))
            raise LabError(f"no answer from {names} after {START_TIMEOUT_S} s; see {state.paths.logs}")
        time.sleep(POLL_S)


def wait_for_reports(state: LabState, names: Iterable[str], since: float) -> None:
    """Wait until the processes have reported after the time `since`, in seconds since the epoch.

    Raises:
        LabError: one does not report in time.
    """
    wanted = list(names)
    deadline = time.monotonic() + START_TIMEOUT_S
    while missing := [name for service in services() for name in service.not_ready(state, wanted, since)]:
        _refuse_ended(state, wanted)
        if time.monotonic() > deadline:
            raise LabError(f"{', '.join(missing)} does not report; see {state.paths.logs}")
        time.sleep(POLL_S)


def wait_for(is_ready: Callable[[], bool], what: str, state: LabState) -> None:
    """Wait until a condition holds for a process.

    Raises:
        LabError: it does not in time; names the log of the process.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_ready():
        _refuse_ended(state, [what])
        if time.monotonic() > deadline:
            raise LabError(f"{what} does not answer after {START_TIMEOUT_S} s; see {state.paths.logs}/{what}.log")
        time.sleep(POLL_S / 2)


def wait_for_end(state: LabState, name: str) -> None:
    """Give a process that is to end at its start the time for it.

    Raises:
        ServiceEnded: it did, as it should.
    """
    deadline = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < deadline:
        _refuse_ended(state, [name])
        time.sleep(POLL_S)


def _refuse_ended(state: LabState, names: Iterable[str]) -> None:
    ended = processes.ended_at_start(state, names)
    if ended:
        logs = ", ".join(str(processes.log(state, name)) for name in ended)
        raise ServiceEnded(f"{', '.join(ended)} ended at its start; see {state.paths.logs} and {logs}")


def wait_for_new(state: LabState, old: dict[str, int]) -> None:
    """Wait until each process has another pid than the old one; kill those that do not end.

    Raises:
        LabError: one does not come back.
    """
    killed = False
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while True:
        now = processes.running(state)
        waiting = [name for name, pid in old.items() if now.get(name, pid) == pid]
        _refuse_ended(state, waiting)
        if not waiting:
            return
        if time.monotonic() > deadline:
            if killed:
                raise LabError(f"{', '.join(waiting)} did not come back; see {state.paths.logs}")
            killed, deadline = True, time.monotonic() + STOP_TIMEOUT_S
            for name in waiting:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(old[name], signal.SIGKILL)
        time.sleep(POLL_S / 2)
