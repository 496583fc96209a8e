"""One group of services: `python -m lab.services.process GROUP --name LAB MARKER`.

The parent imports what its services share and forks them; a service that ends is started again.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
import traceback
from typing import Any

from lab.paths import LabPaths
from lab.services import configuration
from lab.services.plan import API_OF, groups
from lab.state import PORTS, LabState, load

HEAT_TICK_S = 0.2
"""Heat waits a second between the steps of a task graph by default; here nothing is far away."""
RESTART_PAUSE_S = 1.0


def main(arguments: list[str]) -> None:
    """Run the group until SIGTERM."""
    name, lab_name = arguments[:2]
    state = load(LabPaths.of(lab_name))
    group = next(group for group in groups(state) if group.name == name)
    if len(group.services) == 1:
        _write_pid(state, group.services[0], os.getpid())
        _run(state, group.services[0])
        return
    _preload(group.name)
    _supervise(state, group.services)


def _write_pid(state: LabState, service: str, pid: int) -> None:
    (state.paths.sockets / f"{service}.pid").write_text(str(pid))


PRELOADED = {
    "nova": (
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
    "heat": ("heat.cmd.engine", "heat.engine.service", "heat.api.openstack.v1"),
}
"""What a group's services share, in the order in which it must be imported: heat.cmd chooses the threading backend
before anything else does. Nova's managers stay out: their periodic tasks read the configuration at import."""


def _preload(group: str) -> None:
    os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"
    sys.argv = [group]
    for name in (*PRELOADED.get(group, ()), "labcloud.bus", "waitress"):
        importlib.import_module(name)


def _supervise(state: LabState, services: tuple[str, ...]) -> None:
    children: dict[int, str] = {}
    stopping: list[bool] = []

    def start(service: str) -> None:
        pid = _fork(state, service)
        children[pid] = service
        _write_pid(state, service, pid)

    def stop(*_: Any) -> None:
        stopping.append(True)
        for pid in list(children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    for service in services:
        start(service)
    signal.signal(signal.SIGTERM, stop)
    while children:
        try:
            pid, status = os.wait()
        except InterruptedError:
            continue
        ended = children.pop(pid, None)
        if ended is None or stopping:
            continue
        print(f"{time.strftime('%H:%M:%S')} {ended} ended with status {status}", flush=True)
        if status not in (0, signal.SIGTERM, signal.SIGKILL):
            time.sleep(RESTART_PAUSE_S)
        start(ended)


def _fork(state: LabState, service: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _run(state, service)
    except SystemExit as end:
        os._exit(int(end.code or 0) if isinstance(end.code, int | None) else 1)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _run(state: LabState, service: str) -> None:
    import labcloud.sqlite
    import setproctitle

    setproctitle.setproctitle(f"{state.marker}:{service}")
    os.chdir(state.paths.state)
    labcloud.sqlite.install()
    if service in API_OF:
        application = _application(state, service)
        _serve(state, application, API_OF[service])
    elif service == "heat-engine":
        _heat_engine(state)
    else:
        _nova_manager(state, service)


def _serve(state: LabState, application: Any, port_name: str) -> None:
    import waitress

    waitress.serve(
        application,
        host=state.host_addresses[state.controller],
        port=PORTS[port_name],
        threads=8,
        ident=None,
        clear_untrusted_proxy_headers=True,
        max_request_body_size=8 << 30,
        # clients keep connections open: few idle ones must never keep others out
        channel_timeout=60,
        connection_limit=4000,
        asyncore_use_poll=True,
    )


def _application(state: LabState, service: str) -> Any:
    etc = str(state.paths.etc)
    if service == "keystone":
        os.environ["OS_KEYSTONE_CONFIG_DIR"] = etc
        sys.argv = ["keystone"]
        from keystone.wsgi.api import application

        _warm(state, application)
        return application
    if service == "placement":
        os.environ["OS_PLACEMENT_CONFIG_DIR"] = etc
        sys.argv = ["placement"]
        from placement.wsgi.api import application
    elif service == "glance":
        os.environ["OS_GLANCE_CONFIG_DIR"] = etc
        sys.argv = ["glance-api"]
        from glance.wsgi.api import application
    elif service == "neutron":
        os.environ.update(OS_NEUTRON_CONFIG_DIR=etc, OS_NEUTRON_CONFIG_FILES="neutron.conf")
        sys.argv = ["neutron-server"]
        from neutron.wsgi.api import application

        _load_neutron_policy()
    elif service == "heat-api":
        sys.argv = ["heat-api", "--config-file", f"{etc}/heat.conf"]
        from heat.wsgi.api import application
    else:
        return _nova_api(state)
    return application


def _load_neutron_policy() -> None:
    """Neutron, too, loads its rules at the first request, and two first requests at once would meet half of them."""
    from neutron import policy

    policy.init()
    policy._ENFORCER.load_rules()


def _warm(state: LabState, application: Any) -> None:
    """Keystone loads its policy rules at the first request and not thread-safely: make that request here."""
    import webob

    user = {"name": "nova", "domain": {"name": "Default"}, "password": state.secret("service")}
    scope = {"project": {"name": "service", "domain": {"name": "Default"}}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    request = webob.Request.blank("/v3/auth/tokens", method="POST", json=body, content_type="application/json")
    token = request.get_response(application).headers["X-Subject-Token"]
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    webob.Request.blank("/v3/auth/tokens", headers=headers).get_response(application)


def _nova_api(state: LabState) -> Any:
    paste = state.paths.openstack_env / "etc" / "nova" / "api-paste.ini"
    files = [str(paste), *(str(file) for file in configuration.nova_config_files(state, "nova-api"))]
    os.environ.update(OS_NOVA_CONFIG_DIR=str(state.paths.etc), OS_NOVA_CONFIG_FILES=";".join(files))
    sys.argv = ["nova-api"]
    from nova.api.openstack import wsgi_app

    return wsgi_app.init_application("osapi_compute", "nova-api-os-compute")


def _heat_engine(state: LabState) -> None:
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


def _nova_manager(state: LabState, service: str) -> None:
    from nova import service as nova_service
    from nova.servicegroup import api as servicegroup

    servicegroup.INITIAL_REPORTING_DELAY = 1  # five seconds in life, which every restart would wait for
    serve = nova_service.serve
    nova_service.serve = lambda server, workers=None, no_fork=True: serve(server, workers=1, no_fork=True)
    which = service.split("-")[1]
    sys.argv = [f"nova-{which}"]
    for file in configuration.nova_config_files(state, service):
        sys.argv += ["--config-file", str(file)]
    module = __import__(f"nova.cmd.{which}", fromlist=["main"])
    if which == "compute":  # Nova loads hypervisor drivers only from below nova.virt
        import labcloud.virt

        sys.modules["nova.virt.labcloud"] = labcloud.virt
    module.main()


if __name__ == "__main__":
    main(sys.argv[1:])
