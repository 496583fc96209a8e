"""One function that connects to OpenStack's APIs, and foreign exceptions translated where they enter."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keystoneauth1.exceptions
import openstack
from openstack import exceptions as sdk

from access.errors import AuthenticationError, ConnectError, ProvisioningError

APP_NAME = "gpu-cloud-acceptance"
API_TIMEOUT_S = 60.0
"""How long an API may send nothing in answer to a request; a service that was stopped answers never."""
NAMED, SETTINGS_OF = "OS_CLOUD", "GPUACC_SETTINGS_OF"
"""An entry of clouds.yaml with all that it says, and one of which all is taken but who logs in."""
OF_THE_CLOUD = (
    "OS_AUTH_URL", "OS_REGION_NAME", "OS_INTERFACE", "OS_ENDPOINT_TYPE", "OS_CACERT", "OS_INSECURE", "OS_CERT",
    "OS_KEY", SETTINGS_OF,
)  # fmt: skip
"""Variables that are the same for every user of a cloud."""
NOT_SHARED = (
    "auth",
    "auth_type",
    "cloud",
    "name",
    "profile",
    "region_name",
    "interface",
    "cacert",
    "verify",
    "insecure",
)
READING = ("GET", "HEAD")
UNAVAILABLE = (408, 429, 502, 503, 504)
"""Answers of proxies, of services that start and of rate limits: no judgement of what was asked.
https://docs.openstack.org/api-guide/compute/faults.html"""
REFUSED = (keystoneauth1.exceptions.Unauthorized, keystoneauth1.exceptions.Forbidden)
WHO = "check user, password, project, their domains, and roles"
POLICY = re.compile(
    r"Policy doesn't allow (\S+) to be performed|perform the requested action: (\S+?)[.\s]|\((rule:[^)]*)\)"
)
"""How Nova, Keystone and Neutron name the rule by which they refuse."""


def connect(variables: Mapping[str, str]) -> Any:
    """An openstacksdk connection from OS_* variables, tried once; they mean what they mean to `openstack`.

    A user, an application credential, a token, or an entry of clouds.yaml (OS_CLOUD).

    Raises:
        AuthenticationError, ConnectError: the cloud refuses the credentials, does not answer, or has no such region.
    """
    if not any(variables.get(name) for name in ("OS_AUTH_URL", NAMED, SETTINGS_OF)):
        raise AuthenticationError("nobody can log in: there is no address of Keystone (OS_AUTH_URL)")
    with translated(f"log in {_who(variables)}"):
        connection = openstack.connection.Connection(config=_config(variables))
        _check_authority(connection)
        connection.authorize()
        _check_region(connection)
    return connection


def _who(variables: Mapping[str, str]) -> str:
    if variables.get(NAMED):
        return f"to {variables[NAMED]} of clouds.yaml"
    names = ("OS_USERNAME", "OS_USER_ID", "OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_NAME")
    who = next((variables[name] for name in names if variables.get(name)), "the owner of a token")
    domain = variables.get("OS_USER_DOMAIN_NAME") or variables.get("OS_USER_DOMAIN_ID") or ""
    where = variables.get("OS_AUTH_URL") or f"the cloud of {variables.get(SETTINGS_OF)} in clouds.yaml"
    return f"at {where} as {who}" + (f" of the domain {domain}" if domain not in ("", "Default", "default") else "")


def _config(variables: Mapping[str, str]) -> Any:
    """openstacksdk's configuration of one login."""
    given = _login(variables)
    name = given.pop("cloud", None)
    more = {"app_name": APP_NAME, **({} if name else {"load_envvars": False, "load_yaml_config": False})}
    config = openstack.config.OpenStackConfig(**more)
    entry, region = config.cloud_config["clouds"].get(name), given.get("region_name")
    if isinstance(entry, dict) and region:  # a region that the entry does not list is refused before Keystone is asked
        listed = [each["name"] if isinstance(each, dict) else each for each in entry.get("regions", ())]
        if region not in listed:
            entry.pop("regions", None)
            entry["region_name"] = region
    return config.get_one(name, api_timeout=API_TIMEOUT_S, **given)


def _login(variables: Mapping[str, str]) -> dict[str, Any]:
    """How to log in, in openstacksdk's words."""
    own = {
        "region_name": variables.get("OS_REGION_NAME"),
        "interface": variables.get("OS_INTERFACE") or variables.get("OS_ENDPOINT_TYPE"),
        "cacert": variables.get("OS_CACERT"),
        "verify": False if variables.get("OS_INSECURE", "").lower() in ("1", "true", "yes") else None,
    }
    given = {name: value for name, value in own.items() if value not in (None, "")}
    if variables.get(NAMED):
        return {"cloud": variables[NAMED], **given}
    shared: dict[str, Any] = {}
    auth_url = variables.get("OS_AUTH_URL")
    if variables.get(SETTINGS_OF):
        config = dict(openstack.config.OpenStackConfig().get_one(variables[SETTINGS_OF], validate=False).config)
        auth_url = config.get("auth", {}).get("auth_url")
        kept = ("region_name", "interface", "cacert", "verify", "insecure")
        shared = {name: value for name, value in config.items() if name in kept or name not in NOT_SHARED}
        shared = {name: value for name, value in shared.items() if isinstance(value, str | int | bool | float)}
    for name in ("cert", "key"):
        if variables.get(f"OS_{name.upper()}"):
            shared[name] = variables[f"OS_{name.upper()}"]
    return {**shared, **given, **_auth(variables, auth_url)}


def _auth(variables: Mapping[str, str], auth_url: str | None) -> dict[str, Any]:
    """The type of login and what it needs."""
    fields = ("user_id", "user_domain_name", "user_domain_id", "project_id", "project_domain_name", "project_domain_id")
    names = {
        f"OS_{name.upper()}": name
        for name in (*fields, "username", "password", "project_name", "token", "system_scope")
    }
    names |= {
        f"OS_APPLICATION_CREDENTIAL_{part.upper()}": f"application_credential_{part}"
        for part in ("id", "name", "secret")
    }
    auth: dict[str, Any] = {key: variables[name] for name, key in names.items() if variables.get(name)}
    auth["auth_url"] = auth_url
    if "application_credential_secret" in auth:
        kept = ("auth_url", "username", "user_id", "user_domain_name", "user_domain_id")
        only = {key: value for key, value in auth.items() if key in kept or key.startswith("application_credential_")}
        return {"auth_type": "v3applicationcredential", "auth": only}
    if variables.get("OS_TENANT_NAME") and not {"project_name", "project_id"} & set(auth):
        auth["project_name"] = variables["OS_TENANT_NAME"]
    if "project_name" in auth and "project_domain_id" not in auth:
        auth.setdefault("project_domain_name", "Default")
    if "token" in auth and "password" not in auth:
        without = {key: value for key, value in auth.items() if not key.startswith("user")}
        return {"auth_type": "v3token", "auth": without}
    if "username" in auth and "user_domain_id" not in auth:
        auth.setdefault("user_domain_name", "Default")
    return {"auth": auth}


def as_user(variables: Mapping[str, str], *, user: str, password: str, project: str, domain: str) -> dict[str, str]:
    """Variables of another user of the same cloud: where and how it is reached stays, who logs in does not."""
    shared = {name: value for name, value in variables.items() if name in OF_THE_CLOUD and value}
    if variables.get(NAMED):
        shared[SETTINGS_OF] = variables[NAMED]
    return {
        **shared,
        "OS_USERNAME": user,
        "OS_PASSWORD": password,
        "OS_PROJECT_NAME": project,
        "OS_USER_DOMAIN_NAME": domain,
        "OS_PROJECT_DOMAIN_NAME": domain,
    }


def known_names() -> tuple[tuple[str, ...], str]:
    """The clouds of clouds.yaml, and the file that was read ("" where there is none)."""
    config = openstack.config.OpenStackConfig()
    names = config.get_cloud_names() if config.config_filename else []
    return tuple(sorted(names)), str(config.config_filename or "")


def _check_authority(connection: Any) -> None:
    authority, _ = connection.config.get_requests_verify_args()
    if isinstance(authority, str) and not os.path.exists(authority):
        raise ConnectError(
            f"there is no file {authority} with the authority's certificate (cacert)",
            remedy="copy it here and name it: openstack.cacert in the cloud file, or cacert in clouds.yaml",
        )


def _check_region(connection: Any) -> None:
    wanted = connection.config.region_name
    catalog = connection.session.auth.get_access(connection.session).service_catalog.catalog or []
    known = {
        str(endpoint.get("region_id") or endpoint.get("region")) for each in catalog for endpoint in each["endpoints"]
    }
    if wanted and known and wanted not in known:
        raise ConnectError(
            f"the cloud has no region {wanted}; it has: {', '.join(sorted(known))}",
            remedy="name one of these: openstack.region in the cloud file, or region_name in clouds.yaml",
        )


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
def translated(what: str, *, only_reads: bool = False) -> Iterator[None]:
    """Turn errors of openstacksdk and keystoneauth into ours; `what` says what was tried.

    With `only_reads` that reads, whatever its method: Nova's actions that only look are POST.

    Raises:
        AuthenticationError: the cloud refuses the credentials or the role.
        ConnectError: no answer, or one that says nothing about what was asked: an API that fails to read, a proxy
            without its backend, a rate limit. The cloud could not be judged.
        ProvisioningError: the cloud refused or failed what was asked of it.
    """
    try:
        yield
    except keystoneauth1.exceptions.HttpError as error:
        if not isinstance(error, REFUSED):
            raise ConnectError(f"cannot {what}: {error}", remedy=_why_unreachable(error)) from error
        raise AuthenticationError(f"cannot {what}: {error}", remedy=WHO) from error
    except sdk.ForbiddenException as error:
        raise AuthenticationError(f"cannot {what}: {error}", remedy=_missing_right(str(error))) from error
    except sdk.HttpException as error:
        if _says_nothing(error, only_reads=only_reads):
            raise ConnectError(f"cannot {what}: {error}", remedy=_where_to_look(error)) from error
        raise ProvisioningError(f"cannot {what}: {error}") from error
    except sdk.ConfigException as error:
        names, file = known_names()
        raise ConnectError(
            f"cannot {what}: {error}",
            remedy=f"{file or 'clouds.yaml, which was not found,'} has: {', '.join(names) or 'no cloud'}",
        ) from error
    except keystoneauth1.exceptions.ClientException as error:
        raise ConnectError(f"cannot {what}: {error}", remedy=_why_unreachable(error)) from error
    except sdk.SDKException as error:
        if isinstance(_behind(error), REFUSED):
            raise AuthenticationError(f"cannot {what}: {error}", remedy=WHO) from error
        raise ConnectError(f"cannot {what}: {error}", remedy=_why_unreachable(error)) from error


def _behind(error: BaseException) -> BaseException | None:
    """What happened: openstacksdk wraps what keystoneauth raises."""
    behind: BaseException | None = error
    while isinstance(behind, sdk.SDKException):
        behind = behind.__cause__ or behind.__context__
    return behind


def _why_unreachable(error: BaseException) -> str:
    behind = _behind(error)
    if isinstance(behind, keystoneauth1.exceptions.SSLError):
        return (
            "is the API's certificate of a private authority? Name its file: openstack.cacert in the cloud file, or "
            "cacert in clouds.yaml; the certificate must name the address that is called"
        )
    if isinstance(behind, keystoneauth1.exceptions.EndpointNotFound):
        return "the catalog has no such endpoint: see openstack.interface and openstack.region in the cloud file"
    return "is the API up, is its address right?"


def _missing_right(text: str) -> str:
    """What to do about a refusal; services name the rule of their policy that refused."""
    found = POLICY.search(text)
    if found is None:
        return "check user, password, project and roles"
    rule = next(filter(None, found.groups()))
    return (
        f"the login's roles do not allow {rule}: give it a role that does (usually admin), or name in the cloud file "
        "what exists already (tenant.existing, networks.tenant.existing, networks.external.existing)"
    )


def _says_nothing(error: sdk.HttpException, *, only_reads: bool) -> bool:
    """Whether an answer tells only about the API, not about what was asked."""
    status = error.status_code or 0
    return status in UNAVAILABLE or (status >= 500 and (only_reads or _method(error) in READING))


def _method(error: sdk.HttpException) -> str:
    request = getattr(error.response, "request", None)
    return str(getattr(request, "method", "") or "").upper()


def _where_to_look(error: sdk.HttpException) -> str:
    if error.status_code == 429:
        return "the API limits its callers: run again later, or with fewer workers"
    request_id = f", request {error.request_id}" if error.request_id else ""
    return f"the API failed to answer: see its log{request_id}, and the proxy in front of it; then run again"
