"""Programs of the machines that the lab carries out outside.

`python -m lab.hosts.daemon.host_call_server` serves the socket that is its stdin.

Each call runs in a fork of this process, which has imported all of them already: a `systemctl show` costs milliseconds.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from lab.hosts.daemon import namespaces

TOOLS = {
    "openstack": "lab.undercloud.commands:openstack",
    "swift": "lab.undercloud.commands:swift",
    "upload-puppet-modules": "lab.undercloud.commands:upload_puppet_modules",
    "card-memory": "lab.hosts.hardware.card_memory:card_memory",
    "mysql": "lab.services.mysql:mysql",
    "service-python": "lab.services.service_python:service_python",
    "systemctl": "lab.services.systemctl:systemctl",
    "docker": "lab.undercloud.containers:docker",
    "k8s": "lab.undercloud.pods:k8s",
    "kubectl": "lab.undercloud.pods:kubectl",
    "kubelet": "lab.undercloud.pods:kubelet",
    "lxc-attach": "lab.undercloud.lxc:lxc_attach",
    "lxc-ls": "lab.undercloud.lxc:lxc_ls",
    "oc": "lab.undercloud.pods:oc",
    "podman": "lab.undercloud.containers:podman",
    "snap": "lab.undercloud.snap:snap",
    "virt-customize": "lab.guests.virt_customize:virt_customize",
}
REQUEST_LIMIT_BYTES = 128 * 1024
DESCRIPTORS = 4
"""The caller's stdin, stdout and stderr, and a pipe for the pid and the exit code, a line each."""


def serve(requests: socket.socket) -> None:
    """Carry out requests `{"argv", "env", "root_of": PID or null}` until the other end closes."""
    for tool in TOOLS:
        with contextlib.suppress(ImportError):  # machines without a control plane have no use for all of them
            _function(tool)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no one waits for a call's process: its pipe shows its end
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, REQUEST_LIMIT_BYTES, DESCRIPTORS)
        if not data:
            return
        if os.fork() == 0:
            requests.close()
            _carry_out(json.loads(data), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _function(tool: str) -> Callable[[list[str]], int]:
    module, _, name = TOOLS[tool].partition(":")
    found: Callable[[list[str]], int] = getattr(importlib.import_module(module), name)
    return found


def _carry_out(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Run one tool with the caller's stdio in this process, and end it."""
    *stdio, result = descriptors
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.write(result, f"{os.getpid()}\n".encode())
        for target, descriptor in enumerate(stdio):
            os.dup2(descriptor, target)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  until the process ends
        os.environ.clear()
        os.environ.update(request["env"])
        if request["root_of"] is not None:
            namespaces.become_root_of(request["root_of"])
        code = int(_function(request["argv"][0])(request["argv"][1:]))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else _said(ended.code)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):  # the caller may be gone
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(result, f"{code}\n".encode())
        os._exit(code)


def _said(message: object) -> int:
    """As the interpreter ends for SystemExit with something else than a number."""
    if message is not None:
        print(message, file=sys.stderr)
    return int(message is not None)


if __name__ == "__main__":
    serve(socket.socket(fileno=os.dup(0)))
