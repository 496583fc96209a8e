"""What instances with cards go through leaves nothing behind, also when the run is killed in the middle."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest
from whole_lab import REPOSITORY, WholeLab

from judging.records import Verdict

LIMIT_S = 240


@pytest.fixture(scope="module")
def provisioned(lab: WholeLab) -> WholeLab:
    """A lab with both declared instances, which leave one card free."""
    run = lab.accept("--keep", "-k", "test_the_stack_is_complete")
    assert run.exit_code == 0, run.output
    return lab


def test_a_healthy_cloud_agrees_from_all_sides(provisioned: WholeLab):
    run = provisioned.accept("--lifecycle", "--keep", "-k", "reconciliation")

    assert set(run.verdicts.values()) == {Verdict.PASSED}, run.output
    assert len(run.verdicts) == 5


def test_hosts_with_unequal_room_are_filled(provisioned: WholeLab):
    """The declared instances have two cards of one host and one of the other, and the memory that goes with them."""
    run = provisioned.accept("--lifecycle", "--keep", "-k", "test_a_host_filled_without_cards")

    assert list(run.verdicts.values()) == [Verdict.PASSED], run.output


def test_nothing_is_left_after_a_kill(provisioned: WholeLab):
    """A run that is killed while it has an instance is cleaned up by the ledger alone."""
    words = provisioned.arguments("--lifecycle", "--keep", "-q", "-k", "test_suspend_and_resume")
    process = subprocess.Popen(
        words, cwd=REPOSITORY, env=provisioned.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + LIMIT_S
    while '"kind": "server"' not in provisioned.ledger.read_text().rpartition('"kind": "test-flavor"')[2]:
        assert process.poll() is None, "the run ended before it made an instance"
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.wait()

    run = provisioned.accept("--cleanup")

    assert run.exit_code == 0, run.output
    assert not provisioned.ledger.exists()
