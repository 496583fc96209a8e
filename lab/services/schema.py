"""Databases from nothing, one process for each project: `python -m lab.services.schema PROJECT --name LAB`.

Empty schemas are the same for every lab: the first one of an installation makes them, later ones copy its files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
import uuid
from pathlib import Path
from typing import Any

from lab.paths import LabPaths
from lab.services.configuration import bus_url, database_url
from lab.state import LabState, load

PROJECTS = ("nova", "keystone", "neutron", "glance", "heat", "placement")
DATABASES = {
    "keystone": ("keystone",),
    "glance": ("glance",),
    "neutron": ("neutron",),
    "heat": ("heat",),
    "placement": ("placement",),
    "nova": ("nova_api", "nova_cell0", "nova_cell1"),
}
ONLY_SCHEMA = ("neutron", "glance", "heat", "placement")
"""Projects whose databases have no row of a lab's own at its start."""
SERVICE_USERS = ("nova", "neutron", "glance", "placement", "heat")
CATALOG = (
    ("nova", "compute", "/v2.1"),
    ("neutron", "network", ""),
    ("glance", "image", ""),
    ("placement", "placement", ""),
    ("heat", "orchestration", "/v1/%(tenant_id)s"),
)


def main(arguments: list[str]) -> None:
    """Create the databases of one project."""
    project, name = arguments[:2]
    state = load(LabPaths.of(name))
    os.chdir(state.paths.state)
    {
        "keystone": _keystone,
        "glance": _glance,
        "neutron": _neutron,
        "heat": _heat,
        "placement": _placement,
        "nova": _nova,
    }[project](state)
    for database in DATABASES[project]:
        with sqlite3.connect(_file(state, database)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        if project in ONLY_SCHEMA:
            _keep_template(state, database)


def _file(state: LabState, database: str) -> Path:
    return state.paths.databases / f"{database}.db"


def copy_templates(state: LabState, project: str) -> bool:
    """Take the schemas that an earlier lab of this installation made; False when there are none."""
    templates = {name: state.paths.schemas / f"{name}.db" for name in DATABASES[project]}
    if not all(template.exists() for template in templates.values()):
        return False
    for name, template in templates.items():
        shutil.copyfile(template, _file(state, name))
    return True


def _keep_template(state: LabState, database: str) -> None:
    template = state.paths.schemas / f"{database}.db"
    if template.exists():
        return
    template.parent.mkdir(parents=True, exist_ok=True)
    fresh = template.with_suffix(f".{os.getpid()}")
    _copy_open(_file(state, database), fresh)
    fresh.replace(template)


def _copy_open(source: Path, target: Path) -> None:
    """Copy a database that this process may still have open."""
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _manage(main_function: Any, program: str, state: LabState, configuration: str, *words: str) -> None:
    sys.argv = [program, "--config-file", str(state.paths.etc / configuration), *words]
    main_function()


def _glance(state: LabState) -> None:
    from glance.cmd import manage

    _manage(manage.main, "glance-manage", state, "glance-api.conf", "db_sync")


def _placement(state: LabState) -> None:
    from placement.cmd import manage

    _manage(manage.main, "placement-manage", state, "placement.conf", "db", "sync")


def _heat(state: LabState) -> None:
    from heat.cmd import manage

    _manage(manage.main, "heat-manage", state, "heat.conf", "db_sync")


def _neutron(state: LabState) -> None:
    # neutron's migrations do not run on SQLite; its models do
    import sqlalchemy
    from neutron.db.migration.models import head

    engine = sqlalchemy.create_engine(database_url(state, "neutron").removesuffix("?timeout=60"))
    head.get_metadata().create_all(engine)


def _nova(state: LabState) -> None:
    os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"
    sys.argv = ["nova-manage", "--config-file", str(state.paths.etc / "nova-conductor.conf")]
    from nova import config, context, objects
    from nova.db import migration

    config.parse_args(sys.argv)
    objects.register_all()
    if not copy_templates(state, "nova"):
        migration.db_sync(database="api")
        migration.db_sync(database="main")
        _copy_open(_file(state, "nova_cell1"), _file(state, "nova_cell0"))
        for database in DATABASES["nova"]:
            _keep_template(state, database)
    admin = context.get_admin_context()
    cell0 = objects.CellMapping(
        admin,
        uuid=objects.CellMapping.CELL0_UUID,
        name="cell0",
        transport_url="none:///",
        database_connection=database_url(state, "nova_cell0"),
    )
    cell0.create()
    cell1 = objects.CellMapping(
        admin,
        uuid=str(uuid.uuid4()),
        name="cell1",
        transport_url=bus_url(state),
        database_connection=database_url(state, "nova_cell1"),
    )
    cell1.create()


def _keystone(state: LabState) -> None:
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
    if not copy_templates(state, "keystone"):
        upgrades.offline_sync_database_to_version()
        _keep_template(state, "keystone")
    bootstrapper = bootstrap.Bootstrapper()
    bootstrapper.immutable_roles = False
    bootstrapper.admin_password = state.secret("admin")
    bootstrapper.admin_username = bootstrapper.project_name = bootstrapper.admin_role_name = "admin"
    bootstrapper.service_name, bootstrapper.region_id = "keystone", "RegionOne"
    url = state.url("keystone") + "/v3"
    bootstrapper.public_url = bootstrapper.internal_url = bootstrapper.admin_url = url
    bootstrapper.bootstrap()
    _catalog(state, provider_api.ProviderAPIs)


def _catalog(state: LabState, api: Any) -> None:
    roles = {role["name"]: role["id"] for role in api.role_api.list_roles()}
    project_id = uuid.uuid4().hex
    project = {"name": "service", "domain_id": "default", "enabled": True, "description": "", "is_domain": False}
    api.resource_api.create_project(project_id, {"id": project_id, **project})
    for name in SERVICE_USERS:
        account = {"name": name, "password": state.secret("service"), "domain_id": "default", "enabled": True}
        user = api.identity_api.create_user(account)
        for role in ("admin", "service"):
            api.assignment_api.add_role_to_user_and_project(user["id"], project_id, roles[role])
    for name, kind, suffix in CATALOG:
        _catalog_entry(api, name, kind, state.url(name) + suffix)
    _heat_domain(state, api, roles["admin"])


def _catalog_entry(api: Any, name: str, kind: str, url: str) -> None:
    service_id = uuid.uuid4().hex
    api.catalog_api.create_service(service_id, {"id": service_id, "name": name, "type": kind, "enabled": True})
    for interface in ("public", "internal", "admin"):
        endpoint = {"service_id": service_id, "interface": interface, "region_id": "RegionOne", "url": url}
        endpoint_id = uuid.uuid4().hex
        api.catalog_api.create_endpoint(endpoint_id, {"id": endpoint_id, "enabled": True, **endpoint})


def _heat_domain(state: LabState, api: Any, admin_role_id: str) -> None:
    domain_id = uuid.uuid4().hex
    api.resource_api.create_domain(domain_id, {"id": domain_id, "name": "heat", "enabled": True, "description": ""})
    password = state.secret("heat_domain_admin")
    account = {"name": "heat_domain_admin", "password": password, "domain_id": domain_id, "enabled": True}
    user = api.identity_api.create_user(account)
    api.assignment_api.create_grant(admin_role_id, user_id=user["id"], domain_id=domain_id)
    role_id = uuid.uuid4().hex
    role: dict[str, Any] = {"id": role_id, "name": "heat_stack_user", "domain_id": None, "options": {}}
    api.role_api.create_role(role_id, role)


if __name__ == "__main__":
    main(sys.argv[1:])
