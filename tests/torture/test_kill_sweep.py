"""kill -9 at random moments of a run: --cleanup leaves nothing of it, and its records stay readable."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_audit import left
from whole_lab import REPOSITORY, WholeLab, running_lab

from access.errors import InputError
from access.waiting import wait_for
from judging.outcome import Outcome
from reports.run import read

PREFIX = "gpuacc"
CLAIMS_LIMIT_S = 120.0
"""Nova frees the card of a moved instance at its next audit, a minute later."""


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeLab]:
    """A lab of our own."""
    with running_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


def killed(lab: WholeLab, after_s: float, *options: str) -> None:
    """A run that is killed with all its workers; it may have ended before."""
    process = subprocess.Popen(
        lab.arguments(*options),
        cwd=REPOSITORY,
        env=lab.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_a_killed_run_leaves_nothing_after_a_cleanup(lab: WholeLab, moment_s: float) -> None:
    """Nor does it look accepted, and its records can be read as far as they go."""
    whole = int(moment_s * 100) % 2 == 0
    killed(lab, moment_s, *(() if whole else ("-n", "2")))

    _records_are_readable(lab.home / "run")
    cleaned = lab.accept("--cleanup")

    assert cleaned.exit_code == 0, cleaned.output
    assert not lab.ledger.exists()
    found = wait_for(
        "claims and allocations to be given back",
        lambda: left(lab.home / "default", PREFIX),
        lambda rest: not any(what.startswith(("claim", "allocation")) for what in rest),
        timeout_s=CLAIMS_LIMIT_S,
    )
    assert not found
    assert not list((lab.home / "runs").glob("credentials.json"))


def _records_are_readable(directory: Path) -> None:
    """Each line but the last of a file is whole; a run without its end is not accepted."""
    for file in directory.glob("records*.jsonl"):
        *whole, _ = file.read_bytes().split(b"\n")
        assert all(json.loads(line) for line in whole)
    try:
        run = read(directory)
    except InputError:
        return  # killed before its first line
    assert run.altered == ()
    assert run.end is not None or run.outcome is not Outcome.ACCEPTED
