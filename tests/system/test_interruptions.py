"""A run that is cut off leaves a ledger, and the next command leaves nothing."""

from __future__ import annotations

import signal

import pytest
from whole_lab import WholeLab

WHILE_THE_GUEST_IS_MADE = "one-card: CREATE_IN_PROGRESS"
INTERRUPTED = 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_what_a_cut_off_run_made_is_found_and_removed(lab: WholeLab, number: signal.Signals):
    """Ctrl-C, Jenkins' abort and a crash: the ledger names what is there, --cleanup proves it gone."""
    cut = lab.accept_until(WHILE_THE_GUEST_IS_MADE, number)

    assert lab.ledger.stat().st_size > 0
    if number is not signal.SIGKILL:
        assert cut.exit_code == INTERRUPTED
        assert "--cleanup" in cut.output
        assert "Traceback" not in cut.output

    cleaned = lab.accept("--cleanup")

    assert cleaned.exit_code == 0, cleaned.output
    assert "gone: stack gpuacc-one-card" in cleaned.output
    assert not lab.ledger.exists()
    assert "gpuacc-one-card" not in lab.command("status")


def test_the_workers_of_a_cut_off_run_leave_nothing_either(lab: WholeLab):
    """Under xdist the signal meets the controller, and a worker is the one who provisions."""
    cut = lab.accept_until("gpuacc-admin: CREATE_IN_PROGRESS", signal.SIGTERM, "-n", "2")

    assert cut.exit_code == INTERRUPTED
    assert lab.accept("--cleanup").exit_code == 0
    assert not lab.ledger.exists()
