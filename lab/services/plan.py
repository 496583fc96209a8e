"""Which services a lab runs, and which of them share a process that pays their imports once."""

from __future__ import annotations

from dataclasses import dataclass

from lab.state import LabState

API_OF = {
    "keystone": "keystone",
    "placement": "placement",
    "glance": "glance",
    "neutron": "neutron",
    "nova-api": "nova",
    "heat-api": "heat",
}
"""Services that answer HTTP, with the name of their port."""


@dataclass(frozen=True)
class Group:
    """A parent process and the services that it forks; one service alone runs in the parent itself."""

    name: str
    services: tuple[str, ...]


def groups(state: LabState) -> list[Group]:
    """In the order in which they are started: the slowest first."""
    computes = tuple(f"nova-compute-{host}" for host in state.computes)
    return [
        Group("nova", ("nova-conductor", *computes, "nova-scheduler", "nova-api")),
        Group("neutron", ("neutron",)),
        Group("heat", ("heat-engine", "heat-api")),
        Group("keystone", ("keystone",)),
        Group("placement", ("placement",)),
        Group("glance", ("glance",)),
    ]


def host_of(state: LabState, service: str) -> str:
    """The emulated host that a service belongs to."""
    prefix = "nova-compute-"
    return service.removeprefix(prefix) if service.startswith(prefix) else state.controller
