"""Placement: which consumer has what of which host, and devices where Nova reports them there."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from access import side_by_side
from access.errors import AcceptanceError, ParseError
from access.openstack_api import translated

DEVICE = re.compile(r"^(?P<host>.+)_(?P<address>[0-9a-fA-F]{4,}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])$")
"""Name of a device's provider (https://docs.openstack.org/nova/latest/admin/pci-passthrough.html)."""
AT_ONCE = 8
"""Requests to Placement at a time: as many connections as one session keeps (requests keeps ten)."""


@dataclass(frozen=True)
class Allocation:
    """What one consumer has of one provider."""

    consumer_id: str
    """An instance, or a migration while a move is not confirmed."""
    host: str
    """Short name of the host that the provider is or belongs to."""
    address: str | None
    """PCI address where the provider is a device."""
    resources: dict[str, int]
    """Amount by resource class, e.g. {"VCPU": 2, "MEMORY_MB": 4096}."""


@dataclass(frozen=True)
class Inventory:
    """Capacity of a host's own provider for one resource class."""

    total: int
    reserved: int
    allocation_ratio: float
    used: int
    max_unit: int | None = None
    """The most that one consumer may have; None if nothing is known of it."""

    @property
    def capacity(self) -> int:
        """What can be allocated of an empty provider."""
        return int((self.total - self.reserved) * self.allocation_ratio)

    @property
    def free(self) -> int:
        """What can still be allocated."""
        return self.capacity - self.used


def _get(connection: Any, path: str, microversion: str | None = None) -> dict[str, Any]:
    with translated(f"read {path} of Placement"):
        answer = connection.placement.get(path, microversion=microversion)
    if not answer.ok:
        raise ParseError("Placement", f"{path} gives {answer.status_code}", line=answer.text[:200])
    return dict(answer.json())


def providers(connection: Any) -> dict[str, str]:
    """Id by name of every resource provider."""
    return {item["name"]: item["uuid"] for item in _get(connection, "/resource_providers")["resource_providers"]}


@dataclass(frozen=True)
class Allocated:
    """All that Placement has given away, and the devices that it knows one by one."""

    allocations: tuple[Allocation, ...]
    reported: frozenset[tuple[str, str]]
    """Host and address of each device that has a provider of its own; empty if Nova does not report them."""


def allocated(connection: Any) -> Allocated:
    """All allocations of the cloud, provider by provider: Placement has no question for several."""
    found, reported = [], set()
    listed = providers(connection)
    paths = [f"/resource_providers/{provider_id}/allocations" for provider_id in listed.values()]
    answers = side_by_side.each(lambda path: _get(connection, path)["allocations"], paths, at_once=AT_ONCE)
    for name, answer in zip(listed, answers, strict=True):
        device = DEVICE.match(name)
        host = (device["host"] if device else name).split(".")[0]
        address = device["address"].lower() if device else None
        if address is not None:
            reported.add((host, address))
        found += [Allocation(consumer, host, address, dict(data["resources"])) for consumer, data in answer.items()]
    return Allocated(tuple(found), frozenset(reported))


@dataclass(frozen=True)
class DeviceProvider:
    """One device that Nova reports to Placement."""

    address: str
    inventories: dict[str, Inventory]
    traits: frozenset[str]


@dataclass(frozen=True)
class HostProviders:
    """What Placement has of one host: its own provider, and those of its devices."""

    inventories: dict[str, Inventory]
    traits: frozenset[str]
    """Of the host and of all that belongs to it but devices."""
    devices: tuple[DeviceProvider, ...]
    totals: Mapping[str, int] = field(default_factory=dict)
    """Total by resource class of the host and of all that belongs to it, e.g. {"VCPU": 48}."""


@dataclass(frozen=True)
class Trees:
    """What Placement has of several hosts, of one moment."""

    found: Mapping[str, HostProviders]
    """By short name; a host that Placement does not know is not in it."""
    failed: Mapping[str, AcceptanceError]
    """Hosts whose providers could not be read."""

    def of(self, host: str) -> HostProviders | None:
        """Of one host; None if Placement does not know it.

        Raises:
            AcceptanceError: it could not be read.
        """
        if host in self.failed:
            raise self.failed[host]
        return self.found.get(host)


@dataclass(frozen=True)
class _Provider:
    name: str
    uuid: str
    root: str


def of_hosts(connection: Any, hosts: Iterable[str]) -> Trees:
    """Inventories, usages and traits of hosts by their short names: all are listed once, then read side by side."""
    roots: dict[str, str] = {}
    trees: defaultdict[str, list[_Provider]] = defaultdict(list)
    for item in _get(connection, "/resource_providers", "latest")["resource_providers"]:
        # before Queens no provider belongs to another, and none is named as a root
        provider = _Provider(item["name"], item["uuid"], str(item.get("root_provider_uuid") or item["uuid"]))
        trees[provider.root].append(provider)
        if provider.root == provider.uuid:  # devices and NUMA nodes begin with their host's name
            roots.setdefault(provider.name.split(".")[0], provider.uuid)
    wanted = [host for host in dict.fromkeys(hosts) if host in roots]

    def read(host: str) -> HostProviders | AcceptanceError:
        try:
            return _tree(connection, roots[host], trees[roots[host]])
        except AcceptanceError as error:
            return error

    answers = dict(zip(wanted, side_by_side.each(read, wanted, at_once=AT_ONCE), strict=True))
    return Trees(
        {host: answer for host, answer in answers.items() if isinstance(answer, HostProviders)},
        {host: answer for host, answer in answers.items() if isinstance(answer, AcceptanceError)},
    )


def of_host(connection: Any, host: str) -> HostProviders | None:
    """Inventories, usages and traits of the host called `host` (short name); None if Placement does not know it."""
    return of_hosts(connection, (host,)).of(host)


def _tree(connection: Any, root: str, members: Iterable[_Provider]) -> HostProviders:
    own: dict[str, Inventory] = {}
    traits: set[str] = set()
    devices = []
    totals: Counter[str] = Counter()
    for member in members:
        device = DEVICE.match(member.name)
        inventories, found = _inventories(connection, member.uuid), _traits(connection, member.uuid)
        totals.update({resource_class: item.total for resource_class, item in inventories.items()})
        if device is not None:
            devices.append(DeviceProvider(device["address"].lower(), inventories, found))
            continue
        traits |= found
        own = {**inventories, **own} if member.uuid != root else {**own, **inventories}
    return HostProviders(own, frozenset(traits), tuple(devices), dict(totals))


def _inventories(connection: Any, provider_id: str) -> dict[str, Inventory]:
    found = _get(connection, f"/resource_providers/{provider_id}/inventories")["inventories"]
    usages = _get(connection, f"/resource_providers/{provider_id}/usages")["usages"] if found else {}
    return {
        name: Inventory(
            int(data["total"]),
            int(data["reserved"]),
            float(data["allocation_ratio"]),
            int(usages.get(name, 0)),
            int(data["max_unit"]) if "max_unit" in data else None,
        )
        for name, data in found.items()
    }


def _traits(connection: Any, provider_id: str) -> frozenset[str]:
    """None before Queens: Placement has no traits then, and refuses the question."""
    with translated(f"read the traits of {provider_id}"):
        answer = connection.placement.get(f"/resource_providers/{provider_id}/traits", microversion="1.6")
    return frozenset(answer.json().get("traits", ())) if answer.ok else frozenset()


def inventory(connection: Any, host: str, resource_class: str) -> Inventory:
    """Capacity of the host called `host` (short name).

    Raises:
        ParseError: Placement does not know the host or the class.
    """
    known = providers(connection).items()
    found = [ident for name, ident in known if name.split(".")[0] == host and not DEVICE.match(name)]
    if not found:
        raise ParseError("Placement", f"no resource provider called {host}")
    inventories = _get(connection, f"/resource_providers/{found[0]}/inventories")["inventories"]
    usages = _get(connection, f"/resource_providers/{found[0]}/usages")["usages"]
    if resource_class not in inventories:
        raise ParseError("Placement", f"{host} has no {resource_class}", line=", ".join(inventories))
    data = inventories[resource_class]
    return Inventory(
        int(data["total"]), int(data["reserved"]), float(data["allocation_ratio"]), int(usages[resource_class])
    )
