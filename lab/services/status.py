"""What each process of a lab is doing."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from lab.services import processes
from lab.services.deployed import host_of
from lab.services.readiness import answers
from lab.services.registry import api_of, services
from lab.state import LabState


@dataclass(frozen=True)
class ProcessStatus:
    """What one process is doing."""

    name: str
    host: str
    is_running: bool
    detail: str
    """What is wrong with it; "" if nothing is."""
    log: Path
    resident_mib: float = 0.0


def status(state: LabState) -> list[ProcessStatus]:
    """The message bus, the machine daemon and every process of the services."""
    running = processes.running(state)
    names = ["bus", "machines", *(name for service in services() for name in service.processes(state))]
    return [_status_of(state, name, running) for name in names]


def _status_of(state: LabState, name: str, running: dict[str, int]) -> ProcessStatus:
    log = state.paths.logs / f"{name}.log"
    if not log.exists() and processes.log(state, name).exists():
        log = processes.log(state, name)
    if name not in running:
        detail = "ended at its start" if processes.ended_at_start(state, [name]) else "not running"
        return ProcessStatus(name, host_of(state, name), False, detail, log)
    service = api_of(name)
    url = service.url(state) if service else None
    detail = "" if url is None or answers(url + "/") else f"does not answer at {url}"
    return ProcessStatus(name, host_of(state, name), True, detail, log, _resident_mib(running[name]))


def _resident_mib(pid: int) -> float:
    """Proportional share of memory: what forked siblings share counts once."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
