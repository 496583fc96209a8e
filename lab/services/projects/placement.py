"""Placement: inventories, allocations."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from lab.services import databases
from lab.services.configuration import Sections, database, log, token
from lab.services.service import Endpoint, Service, as_application
from lab.state import LabState

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _configuration(state: LabState) -> dict[str, Sections]:
    return {"placement.conf": _sections(state)}


def _sections(state: LabState) -> Sections:
    return {
        "DEFAULT": log(state, "placement"),
        "placement_database": database(state, "placement"),
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": token(state, "placement"),
    }


def _create_databases(state: LabState, services: tuple[Service, ...]) -> None:
    from placement.cmd import manage

    databases.manage(manage.main, "placement-manage", state, "placement.conf", "db", "sync")


def _application(state: LabState) -> WSGIApplication:
    os.environ["OS_PLACEMENT_CONFIG_DIR"] = str(state.paths.etc)
    sys.argv = ["placement"]
    from placement.wsgi.api import application

    return as_application(application)


SERVICE = Service(
    name="placement",
    port=8778,
    api="placement",
    application=_application,
    configuration=_configuration,
    databases={"placement": "placement"},
    create_databases=_create_databases,
    is_schema_only=True,
    endpoint=Endpoint("placement"),
    start_order=50,
)
