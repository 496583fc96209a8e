"""The processes of one service: `python -m lab.services.process SERVICE LAB MARKER`.

The parent imports what the processes share and forks them; a process that ends is started again. One that ended twice
at its start stays down, as a unit of systemd does, until SIGUSR1 asks for it. A single process runs in the parent.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
import traceback
from collections import Counter
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
START_S = 20.0
"""A process that fails within this time failed at its start."""
STARTS = 2
"""How often a start is tried."""
POLL_S = 0.1


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
    begun: dict[int, float] = {}
    failed: Counter[str] = Counter()
    stopping: list[bool] = []

    def start(name: str) -> None:
        pid = _fork(state, owner, name)
        children[pid], begun[pid] = name, time.monotonic()
        processes.write_pid(state, name, pid)

    def stop(*_: Any) -> None:
        stopping.append(True)
        for pid in list(children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def start_again(*_: Any) -> None:
        for name in processes.ended_at_start(state, owner.processes(state)):
            failed.pop(name, None)
            processes.end_mark(state, name).unlink()
            start(name)

    for name in owner.processes(state):
        processes.end_mark(state, name).unlink(missing_ok=True)
        start(name)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGUSR1, start_again)
    processes.write_pid(state, processes.parent_of(owner.name), os.getpid())
    while not stopping or children:
        try:
            pid, status = os.wait()
        except ChildProcessError:  # all of them are down
            time.sleep(POLL_S)
            continue
        ended = children.pop(pid, None)
        if ended is None or stopping:
            continue
        print(f"{time.strftime('%H:%M:%S')} {ended} ended with status {status}", flush=True)
        is_failure = status not in (0, signal.SIGTERM, signal.SIGKILL)
        failed[ended] = failed[ended] + 1 if is_failure and time.monotonic() - begun.pop(pid) < START_S else 0
        if failed[ended] >= STARTS:
            processes.end_mark(state, ended).touch()
            continue
        if is_failure:
            time.sleep(RESTART_PAUSE_S)
        start(ended)


def _fork(state: LabState, owner: Service, name: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        _run(state, owner, name)
    except SystemExit as end:
        os._exit(int(end.code or 0) if isinstance(end.code, int | None) else 1)
    except BaseException:
        traceback.print_exc()
        with contextlib.suppress(Exception):
            sys.excepthook(*sys.exc_info())  # oslo.log's own writes it into the service's log  # type: ignore[arg-type]
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
