"""Two workers never measure the same cloud's cards at once: each would see half of what a card can do."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from measuring_lock import alone


def test_nobody_else_measures_meanwhile(tmp_path: Path) -> None:
    runs = tmp_path / "runs" / "mine"
    with alone(runs), (runs / "measuring.lock").open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    with (runs / "measuring.lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
