"""One function that connects to OpenStack's APIs, and foreign exceptions translated where they enter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keystoneauth1.exceptions
import openstack
from openstack import exceptions as sdk

from access.errors import AuthenticationError, ConnectError, ProvisioningError

API_TIMEOUT_S = 60.0
"""How long an API may send nothing in answer to a request; a service that was stopped answers never."""
CREDENTIAL_ID, CREDENTIAL_NAME = "OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_NAME"
READING = ("GET", "HEAD")
UNAVAILABLE = (408, 429, 502, 503, 504)
"""Answers of proxies, of services that start and of rate limits: no judgement of what was asked.
https://docs.openstack.org/api-guide/compute/faults.html"""


def connect(variables: Mapping[str, str]) -> Any:
    """An openstacksdk connection from OS_* variables, tried once: of a user, or of an application credential.

    Raises:
        AuthenticationError, ConnectError: the cloud refuses the credentials, or does not answer.
    """
    connection = openstack.connect(
        load_envvars=False,
        load_yaml_config=False,
        app_name="gpu-cloud-acceptance",
        api_timeout=API_TIMEOUT_S,
        **_login(variables),
        region_name=variables.get("OS_REGION_NAME"),
        interface="public",
    )
    who = variables.get("OS_USERNAME") or variables.get(CREDENTIAL_ID) or variables.get(CREDENTIAL_NAME)
    with translated(f"log in at {variables['OS_AUTH_URL']} as {who}"):
        connection.authorize()
    return connection


def _login(variables: Mapping[str, str]) -> dict[str, Any]:
    """How to log in, in openstacksdk's words."""
    secret = variables.get("OS_APPLICATION_CREDENTIAL_SECRET")
    if secret:
        known = {
            "application_credential_id": variables.get(CREDENTIAL_ID),
            "application_credential_name": variables.get(CREDENTIAL_NAME),
            "username": variables.get("OS_USERNAME"),
            "user_domain_name": variables.get("OS_USER_DOMAIN_NAME"),
        }
        given = {name: value for name, value in known.items() if value}
        auth = {"auth_url": variables["OS_AUTH_URL"], "application_credential_secret": secret, **given}
        return {"auth_type": "v3applicationcredential", "auth": auth}
    return {
        "auth": {
            "auth_url": variables["OS_AUTH_URL"],
            "username": variables["OS_USERNAME"],
            "password": variables["OS_PASSWORD"],
            "project_name": variables.get("OS_PROJECT_NAME") or variables.get("OS_TENANT_NAME"),
            "user_domain_name": variables.get("OS_USER_DOMAIN_NAME", "Default"),
            "project_domain_name": variables.get("OS_PROJECT_DOMAIN_NAME", "Default"),
        }
    }


def connect_named(cloud: str) -> Any:
    """A connection by its name in openstacksdk's clouds.yaml."""
    with translated(f"log in to {cloud} of clouds.yaml"):
        connection = openstack.connect(cloud=cloud, api_timeout=API_TIMEOUT_S)
        connection.authorize()
    return connection


@contextmanager
def without_time_limit(connection: Any) -> Iterator[None]:
    """For uploads: a store may take minutes after the last byte before it answers."""
    session = connection.session
    limit_s, session.timeout = session.timeout, None
    try:
        yield
    finally:
        session.timeout = limit_s


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn errors of openstacksdk and keystoneauth into ours; `what` says what was tried.

    Raises:
        AuthenticationError: the cloud refuses the credentials or the role.
        ConnectError: no answer, or one that says nothing about what was asked: an API that fails to read, a proxy
            without its backend, a rate limit. The cloud could not be judged.
        ProvisioningError: the cloud refused or failed what was asked of it.
    """
    try:
        yield
    except (keystoneauth1.exceptions.Unauthorized, sdk.ForbiddenException) as error:
        raise AuthenticationError(
            f"cannot {what}: {error}", remedy="check user, password, project and roles"
        ) from error
    except sdk.HttpException as error:
        if _says_nothing(error):
            raise ConnectError(f"cannot {what}: {error}", remedy=_where_to_look(error)) from error
        raise ProvisioningError(f"cannot {what}: {error}") from error
    except keystoneauth1.exceptions.ClientException as error:
        raise ConnectError(f"cannot {what}: {error}", remedy="is the API up, is its address right?") from error
    except sdk.SDKException as error:
        raise ConnectError(f"cannot {what}: {error}") from error


def _says_nothing(error: sdk.HttpException) -> bool:
    """Whether an answer tells only about the API, not about what was asked."""
    status = error.status_code or 0
    return status in UNAVAILABLE or (status >= 500 and _method(error) in READING)


def _method(error: sdk.HttpException) -> str:
    request = getattr(error.response, "request", None)
    return str(getattr(request, "method", "") or "").upper()


def _where_to_look(error: sdk.HttpException) -> str:
    if error.status_code == 429:
        return "the API limits its callers: run again later, or with fewer workers"
    request_id = f", request {error.request_id}" if error.request_id else ""
    return f"the API failed to answer: see its log{request_id}, and the proxy in front of it; then run again"
