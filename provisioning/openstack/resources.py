"""Every kind of resource that we make: how it is found by its name, how it is deleted, and in which order.

What tests make is looked for as administrator: a cleanup after a killed run has no password of the test's tenant.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import keystoneauth1.exceptions
from openstack import exceptions as sdk

from access.errors import ProvisioningError
from access.host import output_of
from access.openstack_api import translated
from access.waiting import wait_for
from provisioning.openstack import stack

GONE_TIMEOUT_S = 300.0
STACK_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Kind:
    """One kind of resource. A connection is that of its owner: OpenStack's API, or SSH to the undercloud."""

    find: Callable[[Any, str], Iterable[Any]]
    """All resources of that name, by connection and name."""
    delete: Callable[[Any, Any], Any]
    """Request the deletion, by connection and resource."""
    made_by: Literal["test", "provisioning"]


def _named(found: Any) -> list[Any]:
    return [] if found is None else [found]


def _servers(admin: Any, name: str) -> list[Any]:
    found = admin.compute.servers(details=False, all_projects=True, name=name)  # details would ask Neutron for each
    return [server for server in found if server.name == name]


def _delete_aggregate(admin: Any, aggregate: Any) -> None:
    for host in aggregate.hosts or ():
        admin.compute.remove_host_from_aggregate(aggregate, host)
    admin.compute.delete_aggregate(aggregate)


def _delete_router(owner: Any, router: Any) -> None:
    for port in list(owner.network.ports(device_id=router.id)):
        if port.device_owner.startswith("network:router_interface") or port.device_owner.startswith(
            "network:ha_router"
        ):
            owner.network.remove_interface_from_router(router, port_id=port.id)
    owner.network.delete_router(router)


def in_domain(name: str, domain_id: str) -> str:
    """Name in the ledger of a project or user: another domain may have one of the same name, which is not ours."""
    return f"{name}@{domain_id}"


def _in_its_domain(name: str) -> dict[str, str]:
    own, _, domain_id = name.rpartition("@")
    return {"name": own, "domain_id": domain_id}


def _image_members(admin: Any, name: str) -> list[tuple[str, str]]:
    """Who may use an image; the name is the image's id, a slash, and the project's."""
    image_id, _, project_id = name.partition("/")
    if admin.image.find_image(image_id, ignore_missing=True) is None:
        return []
    return [(image_id, project_id) for member in admin.image.members(image_id) if member.member_id == project_id]


def _delete_image_member(admin: Any, member: tuple[str, str]) -> None:
    admin.image.remove_member(member[1], image=member[0])


def compute_service(admin: Any, host: str) -> Any:
    """The nova-compute service of a host; None if there is none."""
    services = admin.compute.services(binary="nova-compute")
    return next((found for found in services if found.host.split(".")[0] == host.split(".")[0]), None)


def _forced_down(admin: Any, host: str) -> list[Any]:
    service = compute_service(admin, host)
    return [service] if service is not None and service.is_forced_down else []


def _force_up(admin: Any, service: Any) -> None:
    admin.compute.update_service_forced_down(service, service.host, service.binary, False)


def _files(undercloud: Any, path: str) -> list[str]:
    listed = output_of(undercloud, f"[ -e {shlex.quote(path)} ] && echo yes || echo no")
    return [path] if "yes" in listed.stdout else []


_FLAVOR: tuple[Callable[[Any, str], list[Any]], Callable[[Any, Any], Any]] = (
    lambda admin, name: _named(admin.compute.find_flavor(name, ignore_missing=True)),
    lambda admin, flavor: admin.compute.delete_flavor(flavor),
)
_IMAGE: tuple[Callable[[Any, str], list[Any]], Callable[[Any, Any], Any]] = (
    lambda admin, name: list(admin.image.images(name=name)),
    lambda admin, image: admin.image.delete_image(image),
)
KINDS = {
    "forced-down": Kind(_forced_down, _force_up, "test"),
    "server": Kind(
        _servers,
        lambda admin, server: admin.compute.delete_server(server, force=False, ignore_missing=True),
        "test",
    ),
    "port": Kind(
        lambda admin, name: list(admin.network.ports(name=name)),
        lambda admin, port: admin.network.delete_port(port),
        "test",
    ),
    "server-image": Kind(*_IMAGE, "test"),
    "aggregate": Kind(
        lambda admin, name: [found for found in admin.compute.aggregates() if found.name == name],
        _delete_aggregate,
        "test",
    ),
    "test-flavor": Kind(*_FLAVOR, "test"),
    "user": Kind(
        lambda admin, name: _named(admin.identity.find_user(name, ignore_missing=True)),
        lambda admin, user: admin.identity.delete_user(user),
        "test",
    ),
    "project": Kind(
        lambda admin, name: _named(admin.identity.find_project(name, ignore_missing=True)),
        lambda admin, project: admin.identity.delete_project(project),
        "test",
    ),
    "guest": Kind(
        lambda tenant, name: [
            server for server in tenant.compute.servers(details=False, name=name) if server.name == name
        ],
        lambda tenant, server: tenant.compute.delete_server(server, force=False, ignore_missing=True),
        "provisioning",
    ),
    "floating-ip": Kind(
        lambda tenant, name: [found for found in tenant.network.ips(description=name) if found.description == name],
        lambda tenant, found: tenant.network.delete_ip(found),
        "provisioning",
    ),
    "guest-port": Kind(
        lambda tenant, name: list(tenant.network.ports(name=name)),
        lambda tenant, port: tenant.network.delete_port(port),
        "provisioning",
    ),
    "security-group": Kind(
        lambda tenant, name: list(tenant.network.security_groups(name=name)),
        lambda tenant, group: tenant.network.delete_security_group(group),
        "provisioning",
    ),
    "stack": Kind(
        lambda owner, name: _named(stack.find(owner, name)),
        lambda owner, found: stack.delete_stack(owner, found.id, timeout_s=STACK_TIMEOUT_S),
        "provisioning",
    ),
    "keypair": Kind(
        lambda tenant, name: _named(tenant.compute.find_keypair(name, ignore_missing=True)),
        lambda tenant, found: tenant.compute.delete_keypair(found, ignore_missing=True),
        "provisioning",
    ),
    "router": Kind(lambda owner, name: list(owner.network.routers(name=name)), _delete_router, "provisioning"),
    "network": Kind(
        lambda owner, name: list(owner.network.networks(name=name)),
        lambda owner, network: owner.network.delete_network(network),  # its subnets go with it
        "provisioning",
    ),
    "tenant-user": Kind(
        lambda admin, name: list(admin.identity.users(**_in_its_domain(name))),
        lambda admin, user: admin.identity.delete_user(user),
        "provisioning",
    ),
    "tenant-project": Kind(
        lambda admin, name: list(admin.identity.projects(**_in_its_domain(name))),
        lambda admin, project: admin.identity.delete_project(project),
        "provisioning",
    ),
    "flavor": Kind(*_FLAVOR, "provisioning"),
    "image-member": Kind(_image_members, _delete_image_member, "provisioning"),
    "image": Kind(*_IMAGE, "provisioning"),
    "undercloud-file": Kind(
        _files, lambda undercloud, path: output_of(undercloud, f"rm -f {shlex.quote(path)}"), "provisioning"
    ),
}
"""In the order of removal. A forced-down service keeps instances from being deleted, so it comes first; what tests
made uses the tenant's networks and the image, so it goes before what provisioning made."""
KINDS_OF_TESTS = tuple(name for name, kind in KINDS.items() if kind.made_by == "test")


def removal_order(kind: str, owner: str) -> tuple[bool, bool, int]:
    """Sort key: what tests made, then what the tenant owns, then the rest; each by kind."""
    return kind not in KINDS_OF_TESTS, owner != "tenant", list(KINDS).index(kind)


def exists(connection: Any, kind: str, name: str) -> bool:
    """Whether the cloud, asked again, has it."""
    try:
        return any(True for _ in KINDS[kind].find(connection, name))
    except (sdk.SDKException, keystoneauth1.exceptions.ClientException) as error:
        raise ProvisioningError(f"cannot look for {kind} {name}: {error}") from error


def remove(connection: Any, kind: str, name: str) -> None:
    """Remove all of that name and wait until the cloud has none; it is fine if there is none.

    Raises:
        ProvisioningError: it cannot be removed, or is still there after GONE_TIMEOUT_S.
    """
    with translated(f"remove {kind} {name}"):
        found = list(KINDS[kind].find(connection, name))
        if not found:
            return
        for each in found:
            try:
                KINDS[kind].delete(connection, each)
            except sdk.NotFoundException:
                continue
    wait_for(
        f"the removal of {kind} {name}",
        lambda: exists(connection, kind, name),
        lambda there: not there,
        timeout_s=GONE_TIMEOUT_S,
        interval_s=0.3,
        describe=lambda there: "still there" if there else "gone",
    )
