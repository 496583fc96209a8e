"""The processes of a lab: their environment, how one is started, which ones run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from lab.paths import REPOSITORY
from lab.state import LabState


def environment(state: LabState) -> dict[str, str]:
    """Variables of a service process: without the caller's OS_*, and without the repository's root in PYTHONPATH."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code halves the start
    variables.update(
        PYTHONPATH=str(_python_path(state)),
        OS_NOVA_DISABLE_EVENTLET_PATCHING="true",
        PYTHONWARNINGS="ignore",
        GPU_LAB_HOME=str(state.paths.home),
        LAB_NAME=state.paths.name,
        XDG_CACHE_HOME=str(state.paths.state / "cache"),
    )
    return variables


def _python_path(state: LabState) -> Path:
    """A directory with links to `lab` and its plugins only: our folder `fixtures` must not shadow PyPI's package."""
    folder = state.paths.state / "pythonpath"
    folder.mkdir(exist_ok=True)
    for source in (REPOSITORY / "lab", *(REPOSITORY / "lab" / "plugins").iterdir()):
        link = folder / source.name
        if not link.is_symlink():
            link.symlink_to(source)
    return folder


def log(state: LabState, name: str) -> Path:
    """Where a process's standard output and errors go."""
    return state.paths.logs / f"{name}.out"


def python(state: LabState, log_name: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a module of the lab; the lab's marker is its last argument."""
    descriptor = os.open(log(state, log_name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments, state.marker],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment(state),
            cwd=state.paths.state,
            start_new_session=True,
        )


def script(state: LabState, log_name: str, file: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a script that needs the standard library only."""
    with log(state, log_name).open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-S", file, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd="/",
            start_new_session=True,
        )


def write_pid(state: LabState, name: str, pid: int) -> None:
    """Note the pid of a process, for `running`."""
    (state.paths.sockets / f"{name}.pid").write_text(str(pid))


def running(state: LabState) -> dict[str, int]:
    """Running processes and their pids, by their pid files; stale files do not count."""
    found = {}
    for file in state.paths.sockets.glob("*.pid"):
        with contextlib.suppress(ValueError, OSError):
            pid = int(file.read_text())
            if _is_of_lab(pid, state.marker):
                found[file.stem] = pid
    return found


def _is_of_lab(pid: int, marker: str) -> bool:
    """Whether a process has the lab's marker, or has no command line yet: its program is being loaded.

    The kernel shows none between the old program's end and the new one's first instruction; nor for one that ended.
    """
    line = Path(f"/proc/{pid}/cmdline").read_text()
    return marker in line if line else Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"


def parent_of(service: str) -> str:
    """What the parent of a service's processes is called among the pid files."""
    return f"{service}.parent"


def end_mark(state: LabState, name: str) -> Path:
    """The file that is there while a process stays down because it ended at its start."""
    return state.paths.sockets / f"{name}.ended"


def ended_at_start(state: LabState, names: Iterable[str]) -> list[str]:
    """Those of the processes that ended at their start and are not tried again."""
    return [name for name in names if end_mark(state, name).exists()]


def everything(state: LabState) -> list[int]:
    """Every process of this lab, also those without a pid file."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if state.marker in (entry / "cmdline").read_text(errors="replace"):
                    found.append(int(entry.name))
    return found
