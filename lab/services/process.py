"""The processes of one service: `python -m lab.services.process SERVICE LAB MARKER`.

The parent imports what the processes share and forks them; a process that ends is started again. A single process runs
in the parent itself.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.paths import LabPaths
from lab.services import processes
from lab.services.registry import service_called
from lab.services.service import Service
from lab.state import LabState, load

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

RESTART_PAUSE_S = 1.0


def main(arguments: list[str]) -> None:
    """Run the service until SIGTERM."""
    name, lab_name = arguments[:2]
    state = load(LabPaths.of(lab_name))
    service = service_called(name)
    if service.processes(state) == (service.api,):
        processes.write_pid(state, service.api, os.getpid())
        _run(state, service, service.api)
        return
    _preload(service)
    _supervise(state, service)


def _preload(service: Service) -> None:
    os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"
    sys.argv = [service.name]
    for module in (*service.preloaded, "labcloud.bus", "waitress"):
        importlib.import_module(module)


def _supervise(state: LabState, owner: Service) -> None:
    children: dict[int, str] = {}
    stopping: list[bool] = []

    def start(name: str) -> None:
        pid = _fork(state, owner, name)
        children[pid] = name
        processes.write_pid(state, name, pid)

    def stop(*_: Any) -> None:
        stopping.append(True)
        for pid in list(children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    for name in owner.processes(state):
        start(name)
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


def _fork(state: LabState, owner: Service, name: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _run(state, owner, name)
    except SystemExit as end:
        os._exit(int(end.code or 0) if isinstance(end.code, int | None) else 1)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _run(state: LabState, service: Service, name: str) -> None:
    import labcloud.sqlite
    import setproctitle

    setproctitle.setproctitle(f"{state.marker}:{name}")
    os.chdir(state.paths.state)
    labcloud.sqlite.install()
    if name == service.api:
        _serve(state, service.application(state), service.port)
    elif service.run is None:
        raise LabError(f"{service.name} does not say how its process {name} runs")
    else:
        service.run(state, name)


def _serve(state: LabState, application: WSGIApplication, port: int) -> None:
    import waitress

    waitress.serve(
        application,
        host=state.host_addresses[state.controller],
        port=port,
        threads=8,
        ident=None,
        clear_untrusted_proxy_headers=True,
        max_request_body_size=8 << 30,
        # clients keep connections open: a few idle ones must not keep others out
        channel_timeout=60,
        connection_limit=4000,
        asyncore_use_poll=True,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
