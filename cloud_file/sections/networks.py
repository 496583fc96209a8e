"""Networks that the acceptance makes or uses."""

from __future__ import annotations

from typing import Literal

from access.endpoint import Section
from cloud_file.sections.values import Line, Listed, Name, Positive


class ExternalNetwork(Section):
    """The provider network that floating IPs come from."""

    name: Name
    physical_network: Line = "datacentre"
    network_type: Literal["flat", "vlan"] = "flat"
    segmentation_id: Positive | None = None
    cidr: Line | None = None
    gateway: Line | None = None
    pool: tuple[Line, Line] | None = None
    existing: bool = False
    """Take the network of that name as it is; nothing is made or removed."""


class TenantNetwork(Section):
    """The network of the instances: one behind a router that is made, or one that exists."""

    name: Name
    existing: bool = False
    """Take the network of that name as it is, e.g. a provider network; nothing is made or removed."""
    cidr: Line = "192.168.177.0/24"
    dns: tuple[Listed, ...] = ()


class Networks(Section):
    """Networks that the acceptance makes or uses."""

    external: ExternalNetwork | None = None
    """Leave it out on a cloud without floating IPs: no router is made."""
    tenant: TenantNetwork
