"""Nova: its API, scheduler, conductor and one compute for each emulated compute host."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lab.hosts.layout import MachineDir
from lab.services import databases
from lab.services.configuration import Sections, bus_url, common, database, database_url, identity, log, token
from lab.services.deployed import COMPUTE_PREFIX, host_of
from lab.services.nova_conf import config_files
from lab.services.service import Endpoint, Service, as_application
from lab.state import LabState

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

FILES = ("nova_api", "nova_cell0", "nova_cell1")


def _configuration(state: LabState) -> dict[str, Sections]:
    processes = ("nova-api", *_other_processes(state))
    return {f"{process}.conf": sections(state, process) for process in processes}


def _other_processes(state: LabState) -> tuple[str, ...]:
    computes = tuple(f"{COMPUTE_PREFIX}{host}" for host in state.computes)
    return ("nova-conductor", *computes, "nova-scheduler")


def sections(state: LabState, service: str) -> Sections:
    """What the lab adds to the configuration of a service, beside what its host's own files say."""
    host = host_of(state, service)
    home = state.paths.state / "nova" / host
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    found: Sections = {
        "DEFAULT": {
            **log(state, service),
            "transport_url": bus_url(state),
            "host": host,
            "my_ip": state.host_addresses[host],
            "state_path": home,
            "instances_path": home / "instances",
            "compute_driver": "labcloud.LabDriver",
            "rpc_response_timeout": 60,
            "force_config_drive": "false",
            "instance_usage_audit": "false",
            "report_interval": 10,
            "service_down_time": 60,
            "reclaim_instance_interval": 0,
            "periodic_fuzzy_delay": 0,
            # Nova frees some cards with the audit only; waiting a minute after every move would be too long here
            "update_resources_interval": 5,
            "graceful_shutdown_timeout": 2,
            "enable_instance_password": "false",
            "allow_resize_to_same_host": "true",
            "resume_guests_state_on_host_boot": "false",
        },
        "database": database(state, "nova_cell1"),
        "api_database": database(state, "nova_api"),
        "api": {"auth_strategy": "keystone"},
        "wsgi": {"api_paste_config": state.paths.openstack_env / "etc" / "nova" / "api-paste.ini"},
        "keystone_authtoken": token(state, "nova"),
        "service_user": {**identity(state, "nova"), "send_service_user_token": "true"},
        **{name: identity(state, "nova") for name in ("placement", "neutron", "glance", "keystone")},
        "vnc": {"enabled": "false"},
        "scheduler": {"discover_hosts_in_cells_interval": 2, "workers": 1},
        "conductor": {"workers": 1},
        "filter_scheduler": {"track_instance_changes": "true"},
        **common(state),
    }
    if service.startswith("nova-compute"):  # as in real clouds, computes cannot reach the database
        del found["database"], found["api_database"]
    return found


def _create_databases(state: LabState, services: tuple[Service, ...]) -> None:
    os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"
    sys.argv = ["nova-manage", "--config-file", str(state.paths.etc / "nova-conductor.conf")]
    from nova import config, context, objects
    from nova.db import migration

    config.parse_args(sys.argv)
    objects.register_all()
    if not databases.copy_templates(state, FILES):
        migration.db_sync(database="api")
        migration.db_sync(database="main")
        databases.copy_open(databases.file(state, "nova_cell1"), databases.file(state, "nova_cell0"))
        for name in FILES:
            databases.keep_template(state, name)
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


def _not_ready(state: LabState, processes: Iterable[str], since: float) -> list[str]:
    """Computes that are not mapped to the cell or have not reported since: an old row looks like a running compute."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(since))
    wanted = {name.removeprefix(COMPUTE_PREFIX) for name in processes if name.startswith(COMPUTE_PREFIX)}
    if not wanted:
        return []
    mapped = databases.column(state, "nova_api", "select host from host_mappings")
    query = "select host from compute_nodes where deleted = 0 and updated_at >= ?"
    reported = databases.column(state, "nova_cell1", query, stamp)
    return sorted(f"{COMPUTE_PREFIX}{host}" for host in wanted - (mapped & reported))


def _show_log(state: LabState, process: str) -> None:
    """Nova's log where its host has it: one file under two names."""
    own = state.paths.logs / f"{process}.log"
    folder = "/var/log/containers/nova" if state.release_data["containers"] else "/var/log/nova"
    name = "nova-compute" if process.startswith(COMPUTE_PREFIX) else process
    shown = MachineDir(state.paths, host_of(state, process)).path(f"{folder}/{name}.log")
    if not MachineDir(state.paths, host_of(state, process)).path("/var/log").is_dir():  # the host has no disk yet
        return
    shown.parent.mkdir(parents=True, exist_ok=True)
    own.touch(mode=0o600)
    if not shown.exists() or not shown.samefile(own):
        shown.unlink(missing_ok=True)
        os.link(own, shown)


def _application(state: LabState) -> WSGIApplication:
    _show_log(state, "nova-api")
    paste = state.paths.openstack_env / "etc" / "nova" / "api-paste.ini"
    files = [str(paste), *(str(file) for file in config_files(state, "nova-api"))]
    os.environ.update(OS_NOVA_CONFIG_DIR=str(state.paths.etc), OS_NOVA_CONFIG_FILES=";".join(files))
    sys.argv = ["nova-api"]
    from nova.api.openstack import wsgi_app

    return as_application(wsgi_app.init_application("osapi_compute", "nova-api-os-compute"))


def _run(state: LabState, process: str) -> None:
    _show_log(state, process)
    from nova import service as nova_service
    from nova.servicegroup import api as servicegroup

    servicegroup.INITIAL_REPORTING_DELAY = 1  # five seconds by default, and every restart would wait for them
    serve = nova_service.serve
    nova_service.serve = lambda server, workers=None, no_fork=True: serve(server, workers=1, no_fork=True)
    which = process.split("-")[1]
    sys.argv = [f"nova-{which}"]
    for file in config_files(state, process):
        sys.argv += ["--config-file", str(file)]
    module = __import__(f"nova.cmd.{which}", fromlist=["main"])
    if which == "compute":  # Nova loads hypervisor drivers only from below nova.virt
        import labcloud.virt

        sys.modules["nova.virt.labcloud"] = labcloud.virt
    module.main()


SERVICE = Service(
    name="nova",
    port=8774,
    api="nova-api",
    application=_application,
    other_processes=_other_processes,
    run=_run,
    # Nova's managers stay out: their periodic tasks read the configuration at import
    preloaded=(
        "nova.cmd.scheduler",
        "nova.cmd.conductor",
        "nova.cmd.compute",
        "nova.virt.fake",
        "nova.network.neutron",
        "nova.compute.api",
        "nova.scheduler.client.report",
        "nova.api.openstack.wsgi_app",
        "nova.api.openstack.compute.routes",
        "nova.api.auth",
    ),
    not_ready=_not_ready,
    configuration=_configuration,
    databases={"nova_api": "nova_api", "nova_cell0": "nova_cell0", "nova": "nova_cell1"},
    create_databases=_create_databases,
    endpoint=Endpoint("compute", "/v2.1"),
    start_order=10,
)
