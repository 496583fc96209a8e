"""How we become the cloud's administrator: by an rc file on the undercloud, or by a name in clouds.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from access.errors import ProvisioningError
from access.openstack_api import connect, connect_named
from access.ssh import RemoteHost
from cloud_file.cloud import Cloud

EXPORT = re.compile(r"^\s*export\s+(OS_\w+)=(.*)$", re.M)
AUTH_NAMES = (
    "auth_url",
    "username",
    "password",
    "project_name",
    "user_domain_name",
    "project_domain_name",
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
)


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
        connection = connect_named(cloud.openstack.cloud)
        return Administrator(connection, _variables_of(connection))
    if undercloud is None:
        raise ProvisioningError("the cloud file names no undercloud")
    variables = _rc_file(undercloud, cloud.openstack.rc_file or f"/home/{undercloud.endpoint.user}/overcloudrc")
    return Administrator(connect(variables), variables)


def _rc_file(undercloud: RemoteHost, path: str) -> dict[str, str]:
    text = undercloud.read_file(path)
    if text is None:
        raise ProvisioningError(f"there is no {path} on the undercloud", remedy="is the overcloud deployed?")
    return {name: value.strip().strip("\"'") for name, value in EXPORT.findall(text)}


def _variables_of(connection: Any) -> dict[str, str]:
    """OS_* variables of a connection from clouds.yaml."""
    auth = connection.config.get_auth_args()
    found = {f"OS_{name.upper()}": str(auth[name]) for name in AUTH_NAMES if auth.get(name)}
    if connection.config.region_name:
        found["OS_REGION_NAME"] = connection.config.region_name
    return found
