"""Nova's services, flavors and quota."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from access.openstack_api import translated


@dataclass(frozen=True)
class ComputeService:
    """One of Nova's services."""

    binary: str
    host: str
    is_up: bool
    is_enabled: bool


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
            ComputeService(service.binary, service.host, service.state == "up", service.status == "enabled")
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
    host: str | None
    fault: str | None


def server(connection: Any, server_id: str) -> Server:
    """An instance by its id, with the host that only an administrator sees."""
    with translated(f"read the instance {server_id}"):
        found = connection.compute.get_server(server_id)
    fault = (found.fault or {}).get("message") if found.fault else None
    return Server(found.name, found.status, found.compute_host or found.hypervisor_hostname, fault)


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
