"""Cards that instances have by their flavors, host by host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from access.openstack_api import translated
from probes import alias_request


@dataclass(frozen=True)
class Holder:
    """One instance with cards."""

    name: str
    host: str
    """Short name; "" if it is on none."""
    cards: int


def read(connection: Any) -> tuple[Holder, ...]:
    """All instances of all projects that have cards."""
    with translated("list all instances"):
        servers = list(connection.compute.servers(all_projects=True))
    specs_of = cache(lambda flavor_id: _specs_of(connection, flavor_id))  # as many questions as there are flavors
    holders = (Holder(server.name, _host(server), _cards_of(server, specs_of)) for server in servers)
    return tuple(holder for holder in holders if holder.cards)


def _host(server: Any) -> str:
    return str(server.compute_host or server.hypervisor_hostname or "").split(".")[0]


def _specs_of(connection: Any, flavor_id: str) -> Mapping[str, str]:
    found = connection.compute.find_flavor(flavor_id, get_extra_specs=True, ignore_missing=True)
    return (found.extra_specs if found else None) or {}


def _cards_of(server: Any, specs_of: Callable[[str], Mapping[str, str]]) -> int:
    specs = server.flavor.extra_specs
    if not specs and server.flavor.id:  # before microversion 2.47 an instance shows its flavor's id only
        specs = specs_of(server.flavor.id)
    return sum(alias_request.of_flavor(specs or {}).values())
