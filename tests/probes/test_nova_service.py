"""When a service runs since, and how often its manager had to start it again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from access.errors import ParseError
from probes.nova_service import parse_container, parse_unit

UNIT = "LoadState=loaded\nActiveState={}\nActiveEnterTimestamp=Tue 2026-12-01 01:58:27 UTC\n"
SINCE = datetime(2026, 12, 1, 1, 58, 27, tzinfo=UTC)


def test_a_unit_runs_since_and_was_started_again_so_often() -> None:
    """NRestarts counts what systemd did by itself."""
    found = parse_unit("nova-compute", UNIT.format("active") + "NRestarts=4\n")

    assert (found.is_running, found.started, found.restarts) == (True, SINCE, 4)


@pytest.mark.parametrize("counted", ["", "NRestarts=\n", "NRestarts=many\n"])
def test_a_systemd_that_does_not_count_restarts_is_no_trouble(counted: str) -> None:
    """That of RHEL 7 does not."""
    assert parse_unit("nova-compute", UNIT.format("active") + counted).restarts == 0


def test_a_unit_that_waits_for_its_next_start_does_not_run() -> None:
    """systemd calls it activating (auto-restart)."""
    assert parse_unit("nova-compute", UNIT.format("activating") + "NRestarts=4\n").started is None


@pytest.mark.parametrize(
    ("printed", "runs", "restarts"),
    [
        ("true false 0 2026-12-01T01:58:27.123456789Z", True, 0),
        ("true false 12 2026-12-01 01:58:27.123456789 +0000 UTC", True, 12),
        ("true true 12 2026-12-01T01:58:27.123456789Z", False, 0),
        ("false false 0 2026-12-01T01:58:27.123456789Z", False, 0),
    ],
)
def test_a_container_that_waits_for_its_next_start_does_not_run(printed: str, runs: bool, restarts: int) -> None:
    """docker says of such a one that it runs and restarts."""
    found = parse_container("nova_compute", printed)

    assert (found.is_running, found.restarts, found.started is not None) == (runs, restarts, runs)


@pytest.mark.parametrize("printed", ["", "true", "true false 0", "true 2026-12-01T01:58:27Z", "yes no 1 today"])
def test_another_shape_is_no_answer(printed: str) -> None:
    """Half an answer is none."""
    with pytest.raises(ParseError):
        parse_container("nova_compute", printed)
