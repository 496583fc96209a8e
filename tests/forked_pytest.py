"""`python -m pytest …` as a process of its own, forked from one that has imported what every run imports.

Most of a short run's time is imports. What a process is made of at its start (modules, signal handlers) is better
tested with a fresh one; so is what happens when files may not grow, since its output is a file.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
LIMIT_S = 300.0


def run_pytest(
    *words: str, cwd: Path = REPOSITORY, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m pytest WORDS` to its end.

    Raises:
        TimeoutError: it did not end in `LIMIT_S` and was killed.
    """
    with TemporaryDirectory(prefix="forked-") as name:
        outputs = [Path(name) / stream for stream in ("stdout", "stderr")]
        asked = {
            "words": words,
            "cwd": str(cwd),
            "environment": dict(os.environ if environment is None else environment),
            "outputs": list(map(str, outputs)),
        }
        code = _ask(asked)
        stdout, stderr = (file.read_text(encoding="utf-8", errors="replace") for file in outputs)
        return subprocess.CompletedProcess(["pytest", *words], code, stdout, stderr)


def environment_of_a_user() -> dict[str, str]:
    """Ours, without what pytest and the acceptance have set for this run of tests."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_") and name != "GPU_ACCEPTANCE"
    }


def _ask(asked: dict[str, Any]) -> int:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(asked) + "\n")
    server.stdin.flush()
    child = int(server.stdout.readline())
    if not select.select([server.stdout], [], [], LIMIT_S)[0]:
        os.killpg(child, signal.SIGKILL)
        server.stdout.readline()
        raise TimeoutError(f"pytest {asked['words']} did not end in {LIMIT_S:.0f} s")
    return int(server.stdout.readline())


@cache
def _server() -> subprocess.Popen[str]:
    """One for each process of tests; it ends when that process does, since its input ends then."""
    return subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=REPOSITORY
    )


def _serve() -> None:
    sys.path[0] = str(REPOSITORY)
    from faults.acceptances import preload

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    preload()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_run(asked))
        print(child, file=answers)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers)


def _run(asked: dict[str, Any]) -> int:
    """In the child: what `python -m pytest` does, from its first line to its exit code."""
    os.setsid()
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    opened = [os.open(os.devnull, os.O_RDONLY), *(os.open(file, writing, 0o600) for file in asked["outputs"])]
    for target, descriptor in enumerate(opened):
        os.dup2(descriptor, target)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    paths = asked["environment"].get("PYTHONPATH")
    sys.path[:1] = [asked["cwd"], *(paths.split(os.pathsep) if paths else ())]
    sys.argv = ["pytest", *asked["words"]]
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = 120  # as the interpreter itself ends when its output cannot be written
    return code


if __name__ == "__main__":
    _serve()
