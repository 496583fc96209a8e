"""Nova's services, flavors and quota."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openstack import exceptions as sdk

from access.openstack_api import translated

DELETED = "DELETED"
"""Status of an instance that Nova has no more."""


@dataclass(frozen=True)
class ComputeService:
    """One of Nova's services."""

    binary: str
    host: str
    is_up: bool
    is_enabled: bool
    disabled_reason: str = ""
    """What somebody wrote when the service was disabled."""
    is_forced_down: bool = False
    """Somebody declared it down; it is down for Nova whatever it reports."""
    zone: str = ""
    """Availability zone."""


@dataclass(frozen=True)
class FlavorFacts:
    """A flavor with its extra specs."""

    name: str
    vcpus: int
    ram_mb: int
    disk_gb: int
    is_public: bool
    extra_specs: dict[str, str]


@dataclass(frozen=True)
class Quota:
    """A project's limits; -1 is unlimited."""

    cores: int
    ram_mb: int
    instances: int


def services(connection: Any) -> tuple[ComputeService, ...]:
    """All services of Nova."""
    with translated("list Nova's services"):
        return tuple(
            ComputeService(
                service.binary,
                service.host,
                service.state == "up",
                service.status == "enabled",
                str(service.disabled_reason or ""),
                bool(service.is_forced_down),
                str(service.availability_zone or ""),
            )
            for service in connection.compute.services()
        )


def flavor(connection: Any, flavor_id: str) -> FlavorFacts:
    """A flavor by its id."""
    with translated(f"read the flavor {flavor_id}"):
        found = connection.compute.get_flavor(flavor_id, get_extra_specs=True)
        specs = found.extra_specs or connection.compute.fetch_flavor_extra_specs(found).extra_specs
    return FlavorFacts(found.name, found.vcpus, found.ram, found.disk, bool(found.is_public), dict(specs or {}))


def quota(connection: Any, project_id: str) -> Quota:
    """A project's quota."""
    with translated("read the quota"):
        found = connection.compute.get_quota_set(project_id)
    return Quota(found.cores, found.ram, found.instances)


@dataclass(frozen=True)
class Server:
    """An instance as Nova has it."""

    name: str
    status: str
    """As the API tells it, e.g. ACTIVE, SHUTOFF; DELETED if Nova has it no more."""
    host: str | None
    fault: str | None
    task: str = ""
    """What Nova is doing with it; "" if nothing."""


def server(connection: Any, server_id: str) -> Server:
    """An instance by its id, with the host that only an administrator sees."""
    with translated(f"read the instance {server_id}"):
        try:
            found = connection.compute.get_server(server_id)
        except sdk.NotFoundException:
            return Server(server_id, DELETED, None, None)
    fault = (found.fault or {}).get("message") if found.fault else None
    return Server(
        found.name,
        found.status,
        found.compute_host or found.hypervisor_hostname,
        fault,
        str(found.task_state or ""),
    )


def server_ids(connection: Any) -> frozenset[str]:
    """Every instance of every project, on a host or not."""
    with translated("list all instances"):
        return frozenset(str(found.id) for found in connection.compute.servers(details=False, all_projects=True))


@dataclass(frozen=True)
class Aggregate:
    """A host aggregate."""

    name: str
    hosts: tuple[str, ...]
    """Names of compute services."""
    metadata: dict[str, str]


def aggregates(connection: Any) -> tuple[Aggregate, ...]:
    """All host aggregates."""
    with translated("list the host aggregates"):
        return tuple(
            Aggregate(found.name, tuple(found.hosts or ()), dict(found.metadata or {}))
            for found in connection.compute.aggregates()
        )


def role_names(connection: Any, project_id: str, user: str) -> tuple[str, ...]:
    """Roles that a user of a name has in a project; empty if there is no such user."""
    with translated(f"read the roles of {user}"):
        project = connection.identity.get_project(project_id)
        found = connection.identity.find_user(user, domain_id=project.domain_id, ignore_missing=True)
        if found is None:
            return ()
        assigned = connection.identity.role_assignments(
            user_id=found.id, scope_project_id=project_id, include_names=True
        )
        return tuple(sorted(str(item.role["name"]) for item in assigned))


def own_role_names(connection: Any) -> tuple[str, ...]:
    """Roles that a connection's own login has, wherever they come from: Keystone tells them with the token."""
    with translated("read the roles of the login"):
        return tuple(sorted(connection.session.auth.get_access(connection.session).role_names))
