"""Which processes of a lab run, by their pid files."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from lab.paths import LabPaths
from lab.services import processes
from lab.state import LabState


def _without_command_line() -> int | None:
    """A process that lives and has none, as a program that is being loaded: a thread of the kernel."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if not (place / "cmdline").read_text() and (place / "stat").read_text().split()[2] in "SID":
                return int(place.name)
    return None


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabState:
    """A lab without a process."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = LabState(LabPaths(tmp_path, "some"), "127.1", {})
    found.paths.sockets.mkdir(parents=True, exist_ok=True)
    return found


def test_a_process_whose_program_is_being_loaded_runs(state: LabState):
    """The kernel shows no command line then; on a busy machine that takes its time."""
    pid = _without_command_line()
    if pid is None:
        pytest.skip("no process without a command line is seen from here")
    processes.write_pid(state, "qemu-gpu-0", pid)

    assert processes.running(state) == {"qemu-gpu-0": pid}


def test_a_process_that_ended_does_not_run(state: LabState):
    """Nor does one that nobody has waited for, which has no command line either; nor a stranger with its pid."""
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        processes.write_pid(state, "zombie", process.pid)
        processes.write_pid(state, "stranger", os.getpid())

        assert processes.running(state) == {}
    assert processes.running(state) == {}
