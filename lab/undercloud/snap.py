"""snap of the nodes, for computes whose services are a snap's: `snap restart SNAP.APP` and `snap services`.

There are no confinement, no revisions and no `snap set`: the snap's configuration files lie where the snap writes them.
"""

from __future__ import annotations

import os
import sys

from lab.errors import LabError
from lab.paths import LabPaths
from lab.services import control, processes
from lab.services.deployed import all_on
from lab.state import load

PREFIX = "snap."


def snap(arguments: list[str]) -> int:
    """Carry it out for the machine that calls."""
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    on_machine = all_on(state, os.environ["LAB_MACHINE"])
    services = {each.unit.removeprefix(PREFIX): each for each in on_machine if each.unit.startswith(PREFIX)}
    if not services:
        print("bash: snap: command not found", file=sys.stderr)
        return 127
    match arguments:
        case ["services", *_]:
            running = processes.running(state)
            print("Service  Startup  Current  Notes")
            for name, service in services.items():
                print(f"{name}  enabled  {'active' if service.process in running else 'inactive'}  -")
            return 0
        case ["restart", name] if name in services:
            try:
                control.restart(state, [services[name].process])
            except LabError as error:
                print(f"error: {error}", file=sys.stderr)
                return 1
            print("Restarted.")
            return 0
        case ["restart", name]:
            print(f'error: snap "{name}" not found', file=sys.stderr)
            return 1
    print(f"error: unknown command {' '.join(arguments[:1])!r}, see 'snap help'.", file=sys.stderr)
    return 1
