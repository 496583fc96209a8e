"""Waiting looks often at first, seldom later, and ends in time with the last state."""

from __future__ import annotations

from itertools import count

import pytest

from access.errors import WaitTimeout
from access.waiting import wait_for


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.now += seconds


def test_a_state_is_told_once_and_the_goal_ends_the_wait() -> None:
    clock, told = Clock(), list[str]()
    states = iter(["BUILD", "BUILD", "ACTIVE"])

    last = wait_for(
        "it",
        lambda: next(states),
        lambda state: state == "ACTIVE",
        timeout_s=10,
        on_change=told.append,
        clock=clock,
        sleep=clock.sleep,
    )

    assert (last, told) == ("ACTIVE", ["BUILD", "ACTIVE"])


def test_the_longer_it_takes_the_seldomer_it_is_looked() -> None:
    """Half an hour of waiting is a few hundred questions, and nothing is noticed more than a tenth too late."""
    clock = Clock()
    with pytest.raises(WaitTimeout, match="last state seen: BUILD"):
        wait_for("it", lambda: "BUILD", lambda _: False, timeout_s=1800, interval_s=0.2, clock=clock, sleep=clock.sleep)

    assert clock.pauses[0] == 0.2
    assert max(clock.pauses) == 5.0
    assert len(clock.pauses) < 500


def test_looking_may_give_up_early() -> None:
    numbers = count()

    def look() -> int:
        number = next(numbers)
        if number == 3:
            raise KeyError("gone")
        return number

    clock = Clock()
    with pytest.raises(KeyError):
        wait_for("it", look, lambda _: False, timeout_s=100, clock=clock, sleep=clock.sleep)
