"""How a virtual machine and the lab's loopback network reach each other: QEMU's user network, no rights needed.

From outside, port 22 of the machine is port 2222 of its address in the lab. From inside, the machine listens on the
control plane's own address (files/usr/local/lib/lab-metal/relay.py) and passes all on to one address of QEMU's network,
for which QEMU starts a program outside that connects to the real one (lab/metal/pipe.py).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lab.services.registry import services
from lab.state import SSH_PORT, LabState

INSIDE, GATEWAY = "10.0.2.15", "10.0.2.100"
"""Addresses of the machine, and of what stands for the control plane, in QEMU's user network."""
BUS_PORT = 5999
BUS = "/run/lab/bus.sock"
PIPE = Path(__file__).with_name("pipe.py")


def ports(state: LabState) -> list[int]:
    """Ports of the control plane's APIs."""
    return sorted(service.port for service in services() if service.api)


def options(state: LabState, name: str) -> list[str]:
    """Options of QEMU for the machine's only network card."""
    controller = state.host_addresses[state.controller]
    forwards = [f"hostfwd=tcp:{state.host_addresses[name]}:{SSH_PORT}-{INSIDE}:22"]
    forwards += [_passed_on(port, controller, str(port)) for port in ports(state)]
    forwards.append(_passed_on(BUS_PORT, str(state.paths.sockets / "bus.sock")))
    return ["-netdev", ",".join(["user,id=net0", *forwards]), "-device", "virtio-net-pci,netdev=net0,romfile="]


def _passed_on(port: int, *target: str) -> str:
    return f"guestfwd=tcp:{GATEWAY}:{port}-cmd:{sys.executable} -S {PIPE} {' '.join(target)}"


def relay_settings(state: LabState) -> str:
    """What the relay inside the machine is told, as JSON."""
    settings = {
        "address": state.host_addresses[state.controller],
        "ports": ports(state),
        "bus": BUS,
        "bus_port": BUS_PORT,
        "gateway": GATEWAY,
    }
    return json.dumps(settings, indent=1) + "\n"
