"""Keystone: identities, the catalog of services."""

from __future__ import annotations

import base64
import os
import sys
import uuid
from typing import TYPE_CHECKING, Any

from lab.services import databases
from lab.services.configuration import Sections, database, log
from lab.services.service import Service, as_application
from lab.state import KEYSTONE_PORT, LabState, write_private

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _configuration(state: LabState) -> dict[str, Sections]:
    _key_repositories(state)
    return {"keystone.conf": _sections(state)}


def _sections(state: LabState) -> Sections:
    return {
        "DEFAULT": log(state, "keystone"),
        "database": database(state, "keystone"),
        "token": {"provider": "fernet", "expiration": 86400},
        "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
        "identity": {"password_hash_rounds": 4},
        "fernet_tokens": {"key_repository": state.paths.secrets / "fernet"},
        "fernet_receipts": {"key_repository": state.paths.secrets / "fernet"},
        "credential": {"key_repository": state.paths.secrets / "credential"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def _key_repositories(state: LabState) -> None:
    for repository in ("fernet", "credential"):
        directory = state.paths.secrets / repository
        directory.mkdir(exist_ok=True, mode=0o700)
        for name in ("0", "1"):
            if not (directory / name).exists():
                write_private(directory / name, base64.urlsafe_b64encode(os.urandom(32)).decode())


def _create_databases(state: LabState, services: tuple[Service, ...]) -> None:
    os.environ["OS_KEYSTONE_CONFIG_DIR"] = str(state.paths.etc)
    import keystone.conf
    from keystone.cmd import bootstrap
    from keystone.common import provider_api, sql
    from keystone.common.sql import upgrades

    keystone.conf.configure()
    sql.initialize()
    keystone.conf.set_config_defaults()
    keystone.conf.CONF(["--config-file", str(state.paths.etc / "keystone.conf")], project="keystone")
    keystone.conf.setup_logging()
    if not databases.copy_templates(state, ("keystone",)):
        upgrades.offline_sync_database_to_version()
        databases.keep_template(state, "keystone")
    bootstrapper = bootstrap.Bootstrapper()
    bootstrapper.immutable_roles = False
    bootstrapper.admin_password = state.secret("admin")
    bootstrapper.admin_username = bootstrapper.project_name = bootstrapper.admin_role_name = "admin"
    bootstrapper.service_name, bootstrapper.region_id = "keystone", "RegionOne"
    url = state.identity_url + "/v3"
    bootstrapper.public_url = bootstrapper.internal_url = bootstrapper.admin_url = url
    bootstrapper.bootstrap()
    _catalog(state, provider_api.ProviderAPIs, services)
    _heat_domain(state, provider_api.ProviderAPIs)


def _catalog(state: LabState, api: Any, services: tuple[Service, ...]) -> None:
    """Enter every service, with a user for those that have one."""
    roles = {role["name"]: role["id"] for role in api.role_api.list_roles()}
    project_id = uuid.uuid4().hex
    project = {"name": "service", "domain_id": "default", "enabled": True, "description": "", "is_domain": False}
    api.resource_api.create_project(project_id, {"id": project_id, **project})
    for service in services:
        if service.has_user:
            _service_user(state, api, service.name, project_id, [roles["admin"], roles["service"]])
        if service.endpoint is not None:
            _catalog_entry(api, service.name, service.endpoint.kind, service.url(state) + service.endpoint.path)


def _service_user(state: LabState, api: Any, name: str, project_id: str, role_ids: list[str]) -> None:
    account = {"name": name, "password": state.secret("service"), "domain_id": "default", "enabled": True}
    user = api.identity_api.create_user(account)
    for role_id in role_ids:
        api.assignment_api.add_role_to_user_and_project(user["id"], project_id, role_id)


def _catalog_entry(api: Any, name: str, kind: str, url: str) -> None:
    service_id = uuid.uuid4().hex
    api.catalog_api.create_service(service_id, {"id": service_id, "name": name, "type": kind, "enabled": True})
    for interface in ("public", "internal", "admin"):
        endpoint = {"service_id": service_id, "interface": interface, "region_id": "RegionOne", "url": url}
        endpoint_id = uuid.uuid4().hex
        api.catalog_api.create_endpoint(endpoint_id, {"id": endpoint_id, "enabled": True, **endpoint})


def _heat_domain(state: LabState, api: Any) -> None:
    """The domain in which Heat makes a user for each stack."""
    admin_role_id = next(role["id"] for role in api.role_api.list_roles() if role["name"] == "admin")
    domain_id = uuid.uuid4().hex
    api.resource_api.create_domain(domain_id, {"id": domain_id, "name": "heat", "enabled": True, "description": ""})
    password = state.secret("heat_domain_admin")
    account = {"name": "heat_domain_admin", "password": password, "domain_id": domain_id, "enabled": True}
    user = api.identity_api.create_user(account)
    api.assignment_api.create_grant(admin_role_id, user_id=user["id"], domain_id=domain_id)
    role_id = uuid.uuid4().hex
    role: dict[str, Any] = {"id": role_id, "name": "heat_stack_user", "domain_id": None, "options": {}}
    api.role_api.create_role(role_id, role)


def _application(state: LabState) -> WSGIApplication:
    os.environ["OS_KEYSTONE_CONFIG_DIR"] = str(state.paths.etc)
    sys.argv = ["keystone"]
    from keystone.wsgi.api import application

    _load_policy(state, application)
    return as_application(application)


def _load_policy(state: LabState, application: Any) -> None:
    """Make a first request: Keystone loads its policy rules with it, which is not thread-safe."""
    import webob

    user = {"name": "nova", "domain": {"name": "Default"}, "password": state.secret("service")}
    scope = {"project": {"name": "service", "domain": {"name": "Default"}}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    request = webob.Request.blank("/v3/auth/tokens", method="POST", json=body, content_type="application/json")
    token = request.get_response(application).headers["X-Subject-Token"]
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    webob.Request.blank("/v3/auth/tokens", headers=headers).get_response(application)


SERVICE = Service(
    name="keystone",
    port=KEYSTONE_PORT,
    api="keystone",
    application=_application,
    configuration=_configuration,
    databases={"keystone": "keystone"},
    create_databases=_create_databases,
    has_user=False,
    start_order=40,
)
