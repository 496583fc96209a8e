"""Heat: stacks; its API and its engine."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

from lab.services import databases
from lab.services.configuration import Sections, bus_url, common, database, identity, log, token
from lab.services.service import Endpoint, Service, as_application
from lab.state import LabState

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PORT = 8004
HEAT_TICK_S = 0.2
"""Heat waits a second between the steps of a task graph by default; nothing is far away here."""


def _configuration(state: LabState) -> dict[str, Sections]:
    return {"heat.conf": _sections(state)}


def _sections(state: LabState) -> Sections:
    return {
        "DEFAULT": {
            **log(state, "heat"),
            "transport_url": bus_url(state),
            "num_engine_workers": 1,
            "deferred_auth_method": "trusts",
            "region_name_for_services": "RegionOne",
            "host": state.controller,
            # Heat creates a failed server up to five times more; the first answer is enough here
            "action_retry_limit": "0",
            "heat_metadata_server_url": state.api_url(PORT),
            "heat_waitcondition_server_url": f"{state.api_url(PORT)}/v1/waitcondition",
            "default_deployment_signal_transport": "HEAT_SIGNAL",
            "stack_user_domain_name": "heat",
            "stack_domain_admin": "heat_domain_admin",
            "stack_domain_admin_password": state.secret("heat_domain_admin"),
        },
        "database": database(state, "heat"),
        "keystone_authtoken": token(state, "heat"),
        "trustee": identity(state, "heat"),
        "clients_keystone": {"auth_uri": state.identity_url},
        "paste_deploy": {"api_paste_config": state.paths.openstack_env / "etc" / "heat" / "api-paste.ini"},
        **common(state),
    }


def _create_databases(state: LabState, services: tuple[Service, ...]) -> None:
    from heat.cmd import manage

    databases.manage(manage.main, "heat-manage", state, "heat.conf", "db_sync")


def _application(state: LabState) -> WSGIApplication:
    sys.argv = ["heat-api", "--config-file", f"{state.paths.etc}/heat.conf"]
    from heat.wsgi.api import application

    return as_application(application)


def _heat_engine(state: LabState, process: str) -> None:
    sys.argv = ["heat-engine", "--config-file", str(state.paths.etc / "heat.conf")]
    from heat.cmd import engine
    from heat.engine import scheduler
    from oslo_service import service as oslo_service

    scheduler.TaskRunner.__call__.__defaults__ = (HEAT_TICK_S, None, None, None)
    launch = oslo_service.launch

    def launch_here(conf: Any, server: Any, workers: int = 1, **options: Any) -> Any:
        return launch(conf, server, workers=1, no_fork=True, **options)

    oslo_service.launch = engine.service.launch = launch_here
    engine.launch_engine()
    while True:  # launch returns when it does not fork
        signal.pause()


SERVICE = Service(
    name="heat",
    port=PORT,
    api="heat-api",
    application=_application,
    other_processes=lambda state: ("heat-engine",),
    run=_heat_engine,
    # heat.cmd chooses the threading backend before anything else does: it must be imported first
    preloaded=("heat.cmd.engine", "heat.engine.service", "heat.api.openstack.v1"),
    configuration=_configuration,
    databases={"heat": "heat"},
    create_databases=_create_databases,
    is_schema_only=True,
    endpoint=Endpoint("orchestration", "/v1/%(tenant_id)s"),
    start_order=30,
)
