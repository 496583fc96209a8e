"""Creates the databases of the services, one process for each: `python -m lab.services.schema SERVICE LAB`."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from lab.errors import LabError
from lab.paths import LabPaths
from lab.services import databases, processes
from lab.services.registry import service_called, services
from lab.services.service import Service
from lab.state import LabState, load

WORKERS = 3
POLL_S = 0.02


def create_all(state: LabState) -> None:
    """Create every service's databases if they are missing, a few services at a time.

    Raises:
        LabError: the databases of a service could not be made; names its log.
    """
    done = state.paths.databases / ".complete"
    if done.exists():
        return
    for leftover in state.paths.databases.glob("*.db*"):
        leftover.unlink()
    waiting = [service for service in services() if service.databases and not _is_copied(state, service)]
    running: dict[subprocess.Popen[bytes], str] = {}
    while waiting or running:
        while waiting and len(running) < WORKERS:
            name = waiting.pop(0).name
            running[processes.python(state, f"schema-{name}", __name__, name, state.paths.name)] = name
        _collect(state, running)
        time.sleep(POLL_S)
    done.touch()


def _is_copied(state: LabState, service: Service) -> bool:
    return service.is_schema_only and databases.copy_templates(state, service.databases.values())


def _collect(state: LabState, running: dict[subprocess.Popen[bytes], str]) -> None:
    for process in [process for process in running if process.poll() is not None]:
        name = running.pop(process)
        if process.returncode:
            raise LabError(f"the databases of {name} cannot be made; see {processes.log(state, f'schema-{name}')}")


def main(arguments: list[str]) -> None:
    """Create the databases of one service."""
    name, lab = arguments[:2]
    state = load(LabPaths.of(lab))
    service = service_called(name)
    os.chdir(state.paths.state)
    if service.create_databases is None:
        return
    service.create_databases(state, services())
    for database in service.databases.values():
        databases.use_write_ahead_log(state, database)
        if service.is_schema_only:
            databases.keep_template(state, database)


if __name__ == "__main__":
    main(sys.argv[1:])
