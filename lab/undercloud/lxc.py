"""lxc-attach and lxc-ls of the nodes, for control planes in LXC containers.

An LXC container has its own disk, whose files lie on the host below /var/lib/lxc; the host sees its processes. It has
no init, so that of systemctl only what Nova's own units answer is there, and no network of its own.
"""

from __future__ import annotations

import os
import sys

from lab.paths import LabPaths
from lab.services import systemctl
from lab.services.deployed import Deployed, all_on
from lab.state import LabState, load
from lab.undercloud.containers import run_inside


def lxc_ls(arguments: list[str]) -> int:
    """`lxc-ls [-1]`: the names of the host's containers."""
    _, services = _containers()
    print("\n".join(dict.fromkeys(str(service.lxc) for service in services)))
    return 0


def lxc_attach(arguments: list[str]) -> int:
    """`lxc-attach -n NAME -- COMMAND…`."""
    state, services = _containers()
    if "--" not in arguments or arguments[:1] not in (["-n"], ["--name"]):
        print("lxc-attach: lxc_attach.c: the lab understands lxc-attach -n NAME -- COMMAND", file=sys.stderr)
        return 1
    name, command = arguments[1], arguments[arguments.index("--") + 1 :]
    own = [service for service in services if service.lxc == name]
    if not own:
        print(f"lxc-attach: {name}: lxccontainer.c: Container is not defined", file=sys.stderr)
        return 1
    if command[:1] == ["systemctl"]:
        return _systemctl(state, own, command[1:])
    return run_inside(state, own[0], command)


def _containers() -> tuple[LabState, list[Deployed]]:
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    return state, [service for service in all_on(state, os.environ["LAB_MACHINE"]) if service.lxc]


def _systemctl(state: LabState, own: list[Deployed], words: list[str]) -> int:
    """`systemctl restart | is-active UNIT` of the container."""
    command, unit = words[0] if words else "", words[-1].removesuffix(".service") if words else ""
    service = next((each for each in own if each.unit == unit), None)
    if service is None or command not in ("restart", "is-active"):
        print(f"Unit {unit}.service not found.", file=sys.stderr)
        return 5
    return systemctl.is_active(state, service) if command == "is-active" else systemctl.restart(state, service)
