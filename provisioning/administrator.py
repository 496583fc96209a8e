"""How we become the cloud's administrator: by an rc file on the undercloud, or by a name in clouds.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access.errors import ProvisioningError
from access.openstack_api import NAMED, connect
from access.ssh import RemoteHost
from cloud_file.cloud import Cloud

EXPORT = re.compile(r"^[ \t]*export\s+(OS_\w+)=(.*)$", re.M)


@dataclass(frozen=True)
class Administrator:
    """The administrator's connection and the OS_* variables that open another one like it."""

    connection: Any
    variables: dict[str, str]
    """They hold a password: never log them."""


def become_administrator(cloud: Cloud, undercloud: RemoteHost | None) -> Administrator:
    """Log in as the cloud file says.

    Raises:
        ProvisioningError: there are no credentials.
        ConnectError: the cloud does not answer or refuses them.
    """
    if cloud.openstack.cloud and not cloud.has_tripleo:
        variables = {NAMED: cloud.openstack.cloud, **said_of_apis(cloud)}
        return Administrator(connect(variables), variables)
    if undercloud is None:
        raise ProvisioningError("the cloud file names no undercloud")
    variables = _rc_file(undercloud, cloud.openstack.rc_file or f"/home/{undercloud.endpoint.user}/overcloudrc")
    if variables.get("OS_CACERT") and not Path(variables["OS_CACERT"]).exists():
        del variables["OS_CACERT"]  # a path of the undercloud; a file here is named in the cloud file
    variables |= said_of_apis(cloud)
    return Administrator(connect(variables), variables)


def said_of_apis(cloud: Cloud) -> dict[str, str]:
    """What the cloud file says itself of the APIs, as OS_* variables."""
    access = cloud.openstack
    said = {
        "OS_REGION_NAME": access.region,
        "OS_INTERFACE": access.interface,
        "OS_CACERT": str(access.cacert) if access.cacert else None,
        "OS_INSECURE": "true" if access.verify is False else None,
    }
    return {name: value for name, value in said.items() if value}


def _rc_file(undercloud: RemoteHost, path: str) -> dict[str, str]:
    text = undercloud.read_file(path)
    if text is None:
        raise ProvisioningError(f"there is no {path} on the undercloud", remedy="is the overcloud deployed?")
    return {name: value.strip().strip("\"'") for name, value in EXPORT.findall(text)}
