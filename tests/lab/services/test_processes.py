"""Which processes of a lab run, by their pid files."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab.paths import LabPaths
from lab.services import processes
from lab.state import LabState

WITHOUT_COMMAND_LINE = """
import ctypes, sys, time
PR_SET_MM, PR_SET_MM_ARG_END = 35, 9
begins = int(open("/proc/self/stat").read().rpartition(")")[2].split()[45])
failed = ctypes.CDLL(None).prctl(PR_SET_MM, PR_SET_MM_ARG_END, ctypes.c_ulong(begins), 0, 0)
print(failed, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabState:
    """A lab without a process."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = LabState(LabPaths(tmp_path, "some"), "127.1", {})
    found.paths.sockets.mkdir(parents=True, exist_ok=True)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may take its own command line away (prctl PR_SET_MM)")
def test_a_process_whose_program_is_being_loaded_runs(state: LabState):
    """The kernel shows no command line then; on a busy machine that takes its time."""
    words = [sys.executable, "-c", WITHOUT_COMMAND_LINE]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "0\n"
        assert Path(f"/proc/{process.pid}/cmdline").read_text() == ""
        processes.write_pid(state, "qemu-gpu-0", process.pid)

        assert processes.running(state) == {"qemu-gpu-0": process.pid}
        process.stdin.close()


def test_a_process_that_ended_does_not_run(state: LabState):
    """Nor does one that nobody has waited for, which has no command line either; nor a stranger with its pid."""
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        processes.write_pid(state, "zombie", process.pid)
        processes.write_pid(state, "stranger", os.getpid())

        assert processes.running(state) == {}
    assert processes.running(state) == {}
