"""Acceptances one after another for the fault runner: started once in the suite's environment, forked for each.

Reads one JSON object a line, `{"arguments": [...], "run": DIRECTORY, "limit_s": N}`, and answers each with one line:
exit code, check records, root causes, the end of the output. Forking saves each run the seconds that imports take.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY)]
OUTPUT_LIMIT_CHARS = 4000
POLL_S = 0.02
GRACE_S = 30.0
"""How long an acceptance may take to end when its time is up."""


def preload() -> None:
    """What every acceptance imports and reads."""
    import hypothesis  # its plugin comes with every run
    import openstack.connection
    import paramiko
    import pytest
    import testinfra.modules.package

    import probes
    import provisioning
    import reports

    for package in (probes, provisioning, reports):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    from preflight import releases
    from probes.references import bands, gpu_models
    from reports.page import environment

    gpu_models(), bands.observations(), releases.parameters()
    for name in environment().list_templates():
        environment().get_template(name)
    del hypothesis, openstack, paramiko, pytest, testinfra


def accept(arguments: list[str], run: Path, limit_s: float) -> dict[str, Any]:
    """One acceptance in a process of its own."""
    run.mkdir(parents=True, exist_ok=True)
    for old in run.glob("records*.jsonl"):
        old.unlink()
    output = run / "output.txt"
    child = os.fork()
    if child == 0:
        os._exit(_pytest(["suites/", *arguments] if not _has_path(arguments) else arguments, run, output))
    code = _wait(child, limit_s)
    return {"exit_code": code, **_told(run), "output": output.read_text(errors="replace")[-OUTPUT_LIMIT_CHARS:]}


def _has_path(arguments: list[str]) -> bool:
    return any(word.startswith("suites/") for word in arguments)


def _pytest(arguments: list[str], run: Path, output: Path) -> int:
    os.setsid()
    stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for descriptor, target in ((os.open(os.devnull, os.O_RDONLY), 0), (stream, 1), (stream, 2)):
        os.dup2(descriptor, target)
    sys.argv = ["pytest", *arguments, "--run-dir", str(run), "-q", "-p", "no:cacheprovider"]
    import pytest

    try:
        return int(pytest.main(sys.argv[1:]))
    except BaseException as error:  # the runner gets an exit code, whatever happens
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 3
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _wait(child: int, limit_s: float) -> int:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(POLL_S)
    os.killpg(child, signal.SIGTERM)  # pytest ends as by Ctrl-C: what was judged so far is told with its causes
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return -signal.SIGTERM
        time.sleep(POLL_S)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL


def _told(run: Path) -> dict[str, Any]:
    """Records and root causes of a run.

    The diagnosis is made twice, since the same records must give the same words.
    """
    from dataclasses import asdict

    from access.errors import InputError
    from reports.diagnosis import diagnose
    from reports.run import read

    try:
        checks = list(read(run).checks)
    except InputError:
        checks = []
    causes, again = ([asdict(cause) for cause in diagnose(order)] for order in (checks, checks[::-1]))
    return {"checks": [asdict(check) for check in checks], "causes": causes, "same_twice": causes == again}


def serve() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    os.chdir(REPOSITORY)
    preload()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(accept(asked["arguments"], Path(asked["run"]), asked["limit_s"])), file=answers)


if __name__ == "__main__":
    serve()
