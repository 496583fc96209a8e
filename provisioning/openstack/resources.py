"""Resources of the lifecycle suites by kind: how each is found again by its name, and how it is removed.

All are looked for as administrator: whoever cleans up after a killed run has no tenant's password any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openstack import exceptions as sdk

from access.errors import ProvisioningError
from access.openstack_api import translated
from access.waiting import wait_for

GONE_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Kind:
    """One kind of resource."""

    find: Callable[[Any, str], Any]
    """Connection and name to the resource; None when there is none."""
    delete: Callable[[Any, Any], Any]


def _server(admin: Any, name: str) -> Any:
    found = admin.compute.servers(details=False, all_projects=True, name=name)  # details would ask Neutron for each
    return next((server for server in found if server.name == name), None)


def _delete_server(admin: Any, server: Any) -> None:
    admin.compute.delete_server(server, force=False, ignore_missing=True)


def _image(admin: Any, name: str) -> Any:
    return next(iter(admin.image.images(name=name)), None)


def _port(admin: Any, name: str) -> Any:
    return next(iter(admin.network.ports(name=name)), None)


def _aggregate(admin: Any, name: str) -> Any:
    return next((found for found in admin.compute.aggregates() if found.name == name), None)


def _delete_aggregate(admin: Any, aggregate: Any) -> None:
    for host in aggregate.hosts or ():
        admin.compute.remove_host_from_aggregate(aggregate, host)
    admin.compute.delete_aggregate(aggregate)


def compute_service(admin: Any, host: str) -> Any:
    """The nova-compute service of a host; None when there is none."""
    services = admin.compute.services(binary="nova-compute")
    return next((found for found in services if found.host.split(".")[0] == host.split(".")[0]), None)


def _forced_down(admin: Any, host: str) -> Any:
    service = compute_service(admin, host)
    return service if service is not None and service.is_forced_down else None


KINDS = {
    "forced-down": Kind(
        _forced_down,
        lambda admin, service: admin.compute.update_service_forced_down(service, service.host, service.binary, False),
    ),
    "server": Kind(_server, _delete_server),
    "port": Kind(_port, lambda admin, port: admin.network.delete_port(port)),
    "server-image": Kind(_image, lambda admin, image: admin.image.delete_image(image)),
    "aggregate": Kind(_aggregate, _delete_aggregate),
    "test-flavor": Kind(
        lambda admin, name: admin.compute.find_flavor(name, ignore_missing=True),
        lambda admin, flavor: admin.compute.delete_flavor(flavor),
    ),
    "user": Kind(
        lambda admin, name: admin.identity.find_user(name, ignore_missing=True),
        lambda admin, user: admin.identity.delete_user(user),
    ),
    "project": Kind(
        lambda admin, name: admin.identity.find_project(name, ignore_missing=True),
        lambda admin, project: admin.identity.delete_project(project),
    ),
}
"""In the order in which they are removed: a forced-down service would keep instances from being deleted."""


def exists(admin: Any, kind: str, name: str) -> bool:
    """Whether the cloud, asked anew, has it."""
    try:
        return KINDS[kind].find(admin, name) is not None
    except sdk.SDKException as error:
        raise ProvisioningError(f"cannot look for {kind} {name}: {error}") from error


def remove(admin: Any, kind: str, name: str) -> None:
    """Remove it and wait until the cloud has it no more; absent is fine.

    Raises:
        ProvisioningError: it cannot be removed, or is still there after GONE_TIMEOUT_S.
    """
    with translated(f"remove {kind} {name}"):
        found = KINDS[kind].find(admin, name)
        if found is None:
            return
        try:
            KINDS[kind].delete(admin, found)
        except sdk.NotFoundException:
            return
    wait_for(
        f"the removal of {kind} {name}",
        lambda: exists(admin, kind, name),
        lambda there: not there,
        timeout_s=GONE_TIMEOUT_S,
        interval_s=0.3,
        describe=lambda there: "still there" if there else "gone",
    )
