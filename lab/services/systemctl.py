"""systemctl of the emulated hosts: nova's units are the real services, the others are as healthy as their host."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError
from lab.paths import LabPaths
from lab.services import control, processes
from lab.state import LabState, load

UNIT_PREFIXES = ("openstack-", "tripleo_")


def systemctl(arguments: list[str]) -> int:
    """Carry out `systemctl COMMAND UNIT…` for the machine that calls."""
    words = [word for word in arguments if not word.startswith("-")]
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    command, units = (words or ["list-units"])[0], words[1:]
    codes = [_unit(state, command, unit.removesuffix(".service")) for unit in units]
    return max(codes, default=0)


def _service(state: LabState, unit: str) -> str | None:
    """The lab's service behind a unit of the calling host."""
    for prefix in UNIT_PREFIXES:
        unit = unit.removeprefix(prefix)
    name = unit.replace("_", "-")
    host = os.environ["LAB_MACHINE"]
    if name == "nova-compute" and host in state.computes:
        return f"nova-compute-{host}"
    return name if name in ("nova-api", "nova-scheduler", "nova-conductor") and host == state.controller else None


def _unit(state: LabState, command: str, unit: str) -> int:
    service = _service(state, unit)
    if command == "restart" and service:
        try:
            control.restart(state, [service])
        except LabError as error:
            print(f"Job for {unit}.service failed: {error}", file=sys.stderr)
            return 1
        return 0
    running = (
        service in processes.running(state) if service else not unit.startswith(("openstack-nova", "tripleo_nova"))
    )
    if command == "show":
        _show(state, service, running)
        return 0
    if command in ("is-active", "status"):
        print("active" if running else "inactive")
        return 0 if running else 3
    return 0


def _show(state: LabState, service: str | None, running: bool) -> None:
    moment = started(state, service) if service else None
    date = datetime.fromtimestamp(moment, UTC).strftime("%a %Y-%m-%d %H:%M:%S UTC") if moment else ""
    down = "failed" if service and processes.ended_at_start(state, [service]) else "inactive"
    print(f"ActiveState={'active' if running else down}\nActiveEnterTimestamp={date}")


def started(state: LabState, service: str) -> float | None:
    """When a service was started, in seconds since the epoch; None if it does not run."""
    pid = processes.running(state).get(service)
    if pid is None:
        return None
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    booted = next(line.split()[1] for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    return int(booted) + ticks / os.sysconf("SC_CLK_TCK")
