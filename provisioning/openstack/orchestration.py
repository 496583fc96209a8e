"""Who makes the tenant's resources: Heat, or the services' own APIs. All by one of the two, never half and half."""

from __future__ import annotations

from typing import Any

from access.errors import ProvisioningError
from access.openstack_api import translated
from cloud_file.cloud import Cloud

NO_HEAT = "the catalog has no Heat"


def why_not_heat(cloud: Cloud, connection: Any) -> str:
    """Why the services' own APIs make the resources; "" where Heat does.

    Raises:
        ProvisioningError: the cloud file wants Heat, and it is not there or its templates do not fit.
    """
    if cloud.openstack.heat is False:
        return "openstack.heat is false"
    reason = _unfit(cloud) or _absent(connection)
    if reason and cloud.openstack.heat:
        raise ProvisioningError(
            f"openstack.heat is true, but {reason}", remedy="leave it out: the services' own APIs do without Heat"
        )
    return reason


def _unfit(cloud: Cloud) -> str:
    """What the cloud file asks for that our templates do not make."""
    networks, tenant = cloud.networks, cloud.tenant
    if tenant is not None and tenant.existing:
        return "the project exists already"
    if networks is not None and networks.tenant.existing:
        return "the instances' network exists already"
    if not cloud.has_floating_ips or (networks is not None and networks.external is None):
        return "the instances get no floating IP"
    if any(guest.availability_zone or guest.volume_gb for guest in cloud.guests):
        return "instances ask for an availability zone or a volume"
    return ""


def _absent(connection: Any) -> str:
    with translated("look for Heat in the catalog"):
        return "" if has_service(connection, "orchestration") else NO_HEAT


def has_service(connection: Any, kind: str) -> bool:
    """Whether the catalog has a service of this type for the connection's region and interface."""
    return bool(connection.endpoint_for(kind))
