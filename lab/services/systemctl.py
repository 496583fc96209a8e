"""systemctl of the emulated hosts: nova's units are the real services, the others are as healthy as their host."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError
from lab.paths import LabPaths
from lab.services import control, processes
from lab.services.deployed import Deployed, all_on, pid_of
from lab.state import LabState, load

NOVA = re.compile(
    r"(openstack-)?nova-|(tripleo|edpm)_nova|kolla-nova|snap\..*\.nova-|(deployment|statefulset|daemonset)/"
)


def systemctl(arguments: list[str]) -> int:
    """Carry out `systemctl COMMAND UNIT…` for the machine that calls."""
    words = [word for word in arguments if not word.startswith("-")]
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    command, units = (words or ["list-units"])[0], words[1:]
    if command == "show":
        return _show(state, arguments, units)
    codes = [_unit(state, command, unit.removesuffix(".service")) for unit in units]
    return max(codes, default=0)


def _service(state: LabState, unit: str) -> Deployed | None:
    """The service of Nova behind a unit of the calling host."""
    on_machine = (each for each in all_on(state, os.environ["LAB_MACHINE"]) if each.is_unit_of_host)
    return next((each for each in on_machine if each.unit == unit), None)


def _unit(state: LabState, command: str, unit: str) -> int:
    service = _service(state, unit)
    if service is None and NOVA.match(unit):
        print(f"Unit {unit}.service could not be found.", file=sys.stderr)
        return 5 if command == "restart" else 4
    if command == "restart" and service:
        return restart(state, service)
    if command in ("is-active", "status"):
        return is_active(state, service)
    return 0


def restart(state: LabState, service: Deployed) -> int:
    """`systemctl restart` of a unit of Nova: its exit code, and on standard error why it failed."""
    try:
        control.restart(state, [service.process])
    except LabError as error:
        print(f"Job for {service.unit}.service failed: {error}", file=sys.stderr)
        return 1
    return 0


def is_active(state: LabState, service: Deployed | None) -> int:
    """`systemctl is-active` of a unit; one that is none of Nova's is as healthy as its host."""
    runs = service is None or service.process in processes.running(state)
    print("active" if runs else "inactive")
    return 0 if runs else 3


def _show(state: LabState, arguments: list[str], units: list[str]) -> int:
    """`systemctl show --property=A,B [--value] UNIT…`; it knows no unit that it does not know, and says inactive."""
    wanted = [name for word in arguments if word.startswith("--property=") for name in word[11:].split(",")]
    for unit in units:
        service = _service(state, unit.removesuffix(".service"))
        is_known = service is not None or not NOVA.match(unit)
        moment = started(state, service.process) if service else None
        is_active = is_known and (service is None or moment is not None)
        down = "failed" if service and processes.ended_at_start(state, [service.process]) else "inactive"
        values = {
            "LoadState": "loaded" if is_known else "not-found",
            "ActiveState": "active" if is_active else down,
            "ActiveEnterTimestamp": f"{datetime.fromtimestamp(moment, UTC):%a %Y-%m-%d %H:%M:%S UTC}" if moment else "",
            "NRestarts": "0",
            "MainPID": str(pid_of(state, service)) if service and moment else "0",
        }
        shown = {name: values[name] for name in values if not wanted or name in wanted}
        print("\n".join(value if "--value" in arguments else f"{name}={value}" for name, value in shown.items()))
    return 0


def started(state: LabState, service: str) -> float | None:
    """When a service was started, in seconds since the epoch; None if it does not run."""
    pid = processes.running(state).get(service)
    if pid is None:
        return None
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    booted = next(line.split()[1] for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    return int(booted) + ticks / os.sysconf("SC_CLK_TCK")
