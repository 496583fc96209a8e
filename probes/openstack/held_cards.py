"""Cards that instances have by their flavors, host by host."""

from __future__ import annotations

from dataclasses import dataclass
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
    holders = (Holder(server.name, _host(server), _cards_of(connection, server)) for server in servers)
    return tuple(holder for holder in holders if holder.cards)


def _host(server: Any) -> str:
    return str(server.compute_host or server.hypervisor_hostname or "").split(".")[0]


def _cards_of(connection: Any, server: Any) -> int:
    specs = server.flavor.extra_specs
    if specs is None and server.flavor.id:  # before microversion 2.47 an instance shows its flavor's id only
        found = connection.compute.find_flavor(server.flavor.id, get_extra_specs=True, ignore_missing=True)
        specs = found.extra_specs if found else {}
    return sum(alias_request.of_flavor(specs or {}).values())
