"""One way to an OpenStack connection, and foreign exceptions translated at the edge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keystoneauth1.exceptions
import openstack
from openstack import exceptions as sdk

from access.errors import AuthenticationError, ConnectError, ProvisioningError


def connect(variables: Mapping[str, str]) -> Any:
    """An openstacksdk connection from OS_* variables, tried once.

    Raises:
        AuthenticationError, ConnectError: the cloud does not take us, or does not answer.
    """
    connection = openstack.connect(
        load_envvars=False,
        load_yaml_config=False,
        app_name="gpu-cloud-acceptance",
        auth={
            "auth_url": variables["OS_AUTH_URL"],
            "username": variables["OS_USERNAME"],
            "password": variables["OS_PASSWORD"],
            "project_name": variables.get("OS_PROJECT_NAME") or variables.get("OS_TENANT_NAME"),
            "user_domain_name": variables.get("OS_USER_DOMAIN_NAME", "Default"),
            "project_domain_name": variables.get("OS_PROJECT_DOMAIN_NAME", "Default"),
        },
        region_name=variables.get("OS_REGION_NAME"),
        interface="public",
    )
    with translated(f"log in at {variables['OS_AUTH_URL']} as {variables['OS_USERNAME']}"):
        connection.authorize()
    return connection


def connect_named(cloud: str) -> Any:
    """A connection by its name in openstacksdk's clouds.yaml."""
    with translated(f"log in to {cloud} of clouds.yaml"):
        connection = openstack.connect(cloud=cloud)
        connection.authorize()
    return connection


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn errors of openstacksdk into ours; `what` says what was tried."""
    try:
        yield
    except (keystoneauth1.exceptions.Unauthorized, sdk.ForbiddenException) as error:
        raise AuthenticationError(
            f"cannot {what}: {error}", remedy="check user, password, project and roles"
        ) from error
    except (keystoneauth1.exceptions.ConnectFailure, keystoneauth1.exceptions.DiscoveryFailure) as error:
        raise ConnectError(f"cannot {what}: {error}", remedy="is the API up, is its address right?") from error
    except sdk.HttpException as error:
        raise ProvisioningError(f"cannot {what}: {error}") from error
    except sdk.SDKException as error:
        raise ConnectError(f"cannot {what}: {error}") from error
