"""Glance: images, kept as files."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from lab.services import databases
from lab.services.configuration import Sections, common, database, log, token
from lab.services.service import Endpoint, Service, as_application
from lab.state import LabState

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PORT = 9292


def _configuration(state: LabState) -> dict[str, Sections]:
    for name in ("images", "images-staging", "images-tasks"):
        (state.paths.state / name).mkdir(exist_ok=True, mode=0o700)
    return {"glance-api.conf": _sections(state)}


def _sections(state: LabState) -> Sections:
    home = state.paths.state
    paste = state.paths.openstack_env / "etc" / "glance" / "glance-api-paste.ini"
    return {
        "DEFAULT": {
            **log(state, "glance-api"),
            "enabled_backends": "file:file",
            "enabled_import_methods": "[]",
            "worker_self_reference_url": state.api_url(PORT),
        },
        "database": database(state, "glance"),
        "keystone_authtoken": token(state, "glance"),
        "paste_deploy": {"flavor": "keystone", "config_file": paste},
        "glance_store": {"default_backend": "file"},
        "file": {"filesystem_store_datadir": home / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": home / "images-staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": home / "images-tasks"},
        **common(state),
    }


def _create_databases(state: LabState, services: tuple[Service, ...]) -> None:
    from glance.cmd import manage

    databases.manage(manage.main, "glance-manage", state, "glance-api.conf", "db_sync")


def _application(state: LabState) -> WSGIApplication:
    os.environ["OS_GLANCE_CONFIG_DIR"] = str(state.paths.etc)
    sys.argv = ["glance-api"]
    from glance.wsgi.api import application

    return as_application(application)


SERVICE = Service(
    name="glance",
    port=PORT,
    api="glance",
    application=_application,
    configuration=_configuration,
    databases={"glance": "glance"},
    create_databases=_create_databases,
    is_schema_only=True,
    endpoint=Endpoint("image"),
    start_order=60,
)
