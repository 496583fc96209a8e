"""Figures are of a card alone: on one host one machine is measured at a time, and hosts do not wait for each other."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from measuring_lock import alone


def _is_held(path: Path) -> bool:
    """Whether somebody else would wait for a lock."""
    with path.open("a") as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "mine"


def _lock_of(runs: Path, host: str) -> Path:
    """The file that measuring on a host alone makes."""
    before = set(runs.glob("*.lock"))
    with alone(runs, host):
        pass
    return next(iter(set(runs.glob("measuring-*.lock")) - before))


def test_two_machines_of_one_host_are_measured_one_after_another(runs: Path) -> None:
    lock = _lock_of(runs, "compute-0")

    with alone(runs, "compute-0"):
        assert _is_held(lock)
    assert not _is_held(lock)


@pytest.mark.parametrize("other", ["compute-1", "compute-0/../x", "a" * 300])
def test_hosts_are_measured_side_by_side(runs: Path, other: str) -> None:
    lock = _lock_of(runs, other)

    with alone(runs, "compute-0"):
        assert not _is_held(lock)
        with alone(runs, other):
            assert _is_held(lock)


def test_a_machine_of_an_unknown_host_waits_for_all_others(runs: Path) -> None:
    with alone(runs, "compute-0"):
        assert _is_held(runs / "measuring.lock")


def test_all_others_wait_for_a_machine_of_an_unknown_host(runs: Path) -> None:
    with alone(runs, ""), (runs / "measuring.lock").open("a") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
