"""Start, stop, watch and restart the services of a lab."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.files import remove_tree
from lab.hosts.daemon.client import MachineError, MachinesClient
from lab.hosts.hardware import declaration as hardware
from lab.paths import REPOSITORY, LabPaths
from lab.services import configuration, schema
from lab.services.plan import API_OF, Group, groups, host_of
from lab.state import SSH_PORT, LabState, load, write_private
from lab.undercloud import contents

START_TIMEOUT_S = 180
STOP_TIMEOUT_S = 8
POLL_S = 0.1
SCHEMA_WORKERS = 3


@dataclass(frozen=True)
class ServiceStatus:
    """What one service is doing."""

    name: str
    host: str
    is_running: bool
    detail: str
    """Why it is not well; "" when it is."""
    log: Path
    resident_mib: float = 0.0


def environment(state: LabState) -> dict[str, str]:
    """Variables of a service process: none of the caller's OS_*, and no way into the repository's root."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code halves the start
    variables.update(
        PYTHONPATH=str(_python_path(state)),
        OS_NOVA_DISABLE_EVENTLET_PATCHING="true",
        PYTHONWARNINGS="ignore",
        GPU_LAB_HOME=str(state.paths.home),
        LAB_NAME=state.paths.name,
        XDG_CACHE_HOME=str(state.paths.state / "cache"),
    )
    return variables


def _python_path(state: LabState) -> Path:
    """A directory with links to `lab` and its plugins only: our folder `fixtures` must not meet PyPI's package."""
    folder = state.paths.state / "pythonpath"
    folder.mkdir(exist_ok=True)
    for source in (REPOSITORY / "lab", *(REPOSITORY / "lab" / "plugins").iterdir()):
        link = folder / source.name
        if not link.is_symlink():
            link.symlink_to(source)
    return folder


def create_databases(state: LabState) -> None:
    """Make every schema that is missing, a few at a time.

    Raises:
        LabError: a project's schema failed; names its log.
    """
    done = state.paths.databases / ".complete"
    if done.exists():
        return
    for leftover in state.paths.databases.glob("*.db*"):
        leftover.unlink()
    waiting, running = list(schema.PROJECTS), dict[subprocess.Popen[bytes], str]()
    while waiting or running:
        while waiting and len(running) < SCHEMA_WORKERS:
            project = waiting.pop(0)
            if project in schema.ONLY_SCHEMA and schema.copy_templates(state, project):
                continue
            running[_python(state, f"schema-{project}", "lab.services.schema", project, state.paths.name)] = project
        for process in [process for process in running if process.poll() is not None]:
            project = running.pop(process)
            if process.returncode:
                raise LabError(f"the database of {project} cannot be made; see {_log(state, f'schema-{project}')}")
        time.sleep(POLL_S / 5)
    done.touch()


def _log(state: LabState, name: str) -> Path:
    return state.paths.logs / f"{name}.out"


def _python(state: LabState, log_name: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    descriptor = os.open(_log(state, log_name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments, state.marker],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(state),
            cwd=state.paths.state,
            start_new_session=True,
        )


def up(state: LabState, say: Callable[[str], None]) -> None:
    """Make what is missing of a lab and start it; what a killed start left is repaired.

    Raises:
        LabError: a database cannot be made, or a service does not answer.
    """
    state.paths.sockets.mkdir(mode=0o700, exist_ok=True)
    write_configuration(state)
    create_databases(state)
    start(state, say)


def start(state: LabState, say: Callable[[str], None]) -> None:
    """Start what does not run and wait until all answer.

    Raises:
        LabError: a service ended or did not answer in time; names its log.
    """
    state.paths.sockets.mkdir(mode=0o700, exist_ok=True)
    started = time.time()
    alive = processes(state)
    if "bus" not in alive:
        _start_bus(state)
    if "machines" not in alive:
        start_machines(state)
    fresh = [group for group in groups(state) if not any(service in alive for service in group.services)]
    parents = {
        group.name: _python(state, group.name, "lab.services.process", group.name, state.paths.name) for group in fresh
    }
    _wait_for_apis(state, groups(state), parents)
    if any(group.name == "nova" for group in fresh):
        _wait_for_computes(state, started)
    say(f"control plane ready after {time.time() - started:.1f} s")


def start_machines(state: LabState) -> None:
    """Start the machine daemon, define and boot every declared host.

    Raises:
        LabError: the daemon does not answer, or a machine cannot be started.
    """
    process = _python(state, "machines", "lab.hosts.daemon.server", state.paths.name)
    (state.paths.sockets / "machines.pid").write_text(str(process.pid))
    client = MachinesClient(state.paths)
    _wait_for(lambda: _pings(client), "machines", state)
    known = []
    try:
        for host in state.declaration["hosts"]:
            name = str(host["name"])
            answer = client.define(name, hardware.host_machine(host, state.host_addresses[name]))
            known += [f"[{state.host_addresses[name]}]:{SSH_PORT} {key}" for key in answer["host_keys"]]
        contents.populate(state)
        for host in state.declaration["hosts"]:
            client.boot(str(host["name"]))
    except MachineError as error:
        raise LabError(str(error)) from error
    write_private(state.paths.state / "known_hosts", "\n".join(known) + "\n")
    write_private(state.paths.connection_file, json.dumps(state.connection(), indent=1))


def _pings(client: MachinesClient) -> bool:
    try:
        return bool(client.ping())
    except (MachineError, OSError):
        return False


def _start_bus(state: LabState) -> None:
    path = state.paths.sockets / "bus.sock"
    process = _python_script(state, "bus", REPOSITORY / "lab" / "plugins" / "labcloud" / "broker.py", str(path))
    (state.paths.sockets / "bus.pid").write_text(str(process.pid))


def _python_script(state: LabState, log_name: str, script: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with _log(state, log_name).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-S", script, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


def _wait_for_apis(state: LabState, wanted: Iterable[Group], parents: dict[str, subprocess.Popen[bytes]]) -> None:
    waiting = {service for group in wanted for service in group.services if service in API_OF}
    deadline = time.monotonic() + START_TIMEOUT_S
    while waiting:
        waiting = {service for service in waiting if not _answers(state.url(API_OF[service]) + "/")}
        for name, process in parents.items():
            if process.poll() is not None:
                raise LabError(f"{name} ended with code {process.returncode}; see {_log(state, name)}")
        if time.monotonic() > deadline:
            names = ", ".join(sorted(waiting))
            raise LabError(f"no answer from {names} after {START_TIMEOUT_S} s; see {state.paths.logs}")
        time.sleep(POLL_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  an http URL of ours
            response.read()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def _wait_for_computes(state: LabState, since: float, computes: Iterable[str] | None = None) -> None:
    """Ready means mapped to the cell and reported since the start: old rows look like a running compute."""
    wanted = set(state.computes if computes is None else computes)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(since))
    deadline = time.monotonic() + START_TIMEOUT_S
    while not wanted <= _mapped(state) & _reported(state, stamp):
        if time.monotonic() > deadline:
            missing = ", ".join(sorted(wanted - (_mapped(state) & _reported(state, stamp))))
            raise LabError(f"nova-compute of {missing} does not report; see {state.paths.logs}/nova-compute-*.log")
        time.sleep(POLL_S)


def _rows(state: LabState, database: str, query: str, *values: str) -> set[str]:
    path = state.paths.databases / f"{database}.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        return {str(row[0]) for row in connection.execute(query, values)}


def _mapped(state: LabState) -> set[str]:
    return _rows(state, "nova_api", "select host from host_mappings")


def _reported(state: LabState, stamp: str) -> set[str]:
    query = "select host from compute_nodes where deleted = 0 and updated_at >= ?"
    return _rows(state, "nova_cell1", query, stamp)


def processes(state: LabState) -> dict[str, int]:
    """Running services and their process ids, by their pid files; stale files do not count."""
    found = {}
    for file in state.paths.sockets.glob("*.pid"):
        with contextlib.suppress(ValueError, OSError):
            pid = int(file.read_text())
            if state.marker in Path(f"/proc/{pid}/cmdline").read_text():
                found[file.stem] = pid
    return found


def all_processes(state: LabState) -> list[int]:
    """Every process of this lab, also those that no pid file knows."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if state.marker in (entry / "cmdline").read_text(errors="replace"):
                    found.append(int(entry.name))
    return found


def stop(state: LabState) -> None:
    """End every process of the lab: politely, then not."""
    for sign, limit_s in ((signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, STOP_TIMEOUT_S)):
        for pid in all_processes(state):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
        deadline = time.monotonic() + limit_s
        while all_processes(state) and time.monotonic() < deadline:
            time.sleep(POLL_S / 2)
    for file in state.paths.sockets.glob("*"):
        file.unlink()


def restart(state: LabState, services: Iterable[str]) -> None:
    """Restart single services on the configuration that is there now, and wait until they are ready.

    Raises:
        LabError: a service does not run, or does not come back.
    """
    names = list(services)
    running = processes(state)
    missing = [name for name in names if name not in running]
    if missing:
        raise LabError(f"not running: {', '.join(missing)}; see python -m lab status")
    started = time.time()
    for name in names:
        os.kill(running[name], signal.SIGTERM)
    _wait_for_new(state, {name: running[name] for name in names})
    for name in names:
        if name in API_OF:
            _wait_for(lambda name=name: _answers(state.url(API_OF[name]) + "/"), name, state)  # type: ignore[misc]
    computes = [name.removeprefix("nova-compute-") for name in names if name.startswith("nova-compute-")]
    _wait_for_computes(state, started, computes)


def _wait_for_new(state: LabState, old: dict[str, int]) -> None:
    killed = False
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while True:
        now = processes(state)
        waiting = [name for name, pid in old.items() if now.get(name, pid) == pid]
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


def _wait_for(is_ready: Callable[[], bool], what: str, state: LabState) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_ready():
        if time.monotonic() > deadline:
            raise LabError(f"{what} does not answer after {START_TIMEOUT_S} s; see {state.paths.logs}/{what}.log")
        time.sleep(POLL_S / 2)


def status(state: LabState) -> list[ServiceStatus]:
    """Every service of the lab."""
    running = processes(state)
    found = [_status_of(state, "bus", running), _status_of(state, "machines", running)]
    for group in groups(state):
        found.extend(_status_of(state, service, running) for service in group.services)
    return found


def _status_of(state: LabState, service: str, running: dict[str, int]) -> ServiceStatus:
    log = state.paths.logs / f"{service}.log"
    log = log if log.exists() else next((path for path in (_log(state, service),) if path.exists()), log)
    if service not in running:
        return ServiceStatus(service, host_of(state, service), False, "not running", log)
    detail = ""
    if service in API_OF and not _answers(state.url(API_OF[service]) + "/"):
        detail = f"does not answer at {state.url(API_OF[service])}"
    return ServiceStatus(service, host_of(state, service), True, detail, log, _resident_mib(running[service]))


def _resident_mib(pid: int) -> float:
    """Proportional share of memory: what forked siblings share counts once."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def write_configuration(state: LabState) -> None:
    """Write the services' base configuration again."""
    configuration.write_all(state)


def remove_machines(state: LabState) -> None:
    """Delete every machine's disk. Nothing of the lab may run."""
    for directory in state.paths.machines.iterdir() if state.paths.machines.exists() else ():
        remove_tree(directory)


def destroy(paths: LabPaths) -> None:
    """Stop a lab and delete all of it, however much of it there is."""
    state = load(paths) if (paths.state / "lab.json").exists() else LabState(paths, "", {})
    stop(state)
    if paths.state.exists():
        remove_tree(paths.state)
    shutil.rmtree(paths.sockets, ignore_errors=True)
