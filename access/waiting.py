"""Waiting: a fresh snapshot, a goal, a reason to give up early, a limit in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from access.errors import WaitTimeout

Snapshot = TypeVar("Snapshot")


def wait_for(
    what: str,
    look: Callable[[], Snapshot],
    reached: Callable[[Snapshot], bool],
    *,
    timeout_s: float,
    interval_s: float = 0.5,
    longest_interval_s: float = 5.0,
    first_after_s: float = 0.0,
    describe: Callable[[Snapshot], str] = str,
    on_change: Callable[[str], None] = lambda state: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Snapshot:
    """Look again and again until the goal is reached; returns the last snapshot.

    `look` raises to give up early. `on_change` gets each new description once. The first look comes after
    `first_after_s`, for what is never reached at once. Between two looks `interval_s` pass, later a tenth of the time
    waited, at most `longest_interval_s`: a cloud is not asked thousands of times.

    Raises:
        WaitTimeout: not reached in `timeout_s`; names the last state seen.
    """
    started = clock()
    deadline = started + timeout_s
    state = "nothing seen yet"
    if first_after_s:
        sleep(first_after_s)
    while True:
        snapshot = look()
        described = describe(snapshot)
        if described != state:
            state = described
            on_change(state)
        if reached(snapshot):
            return snapshot
        if clock() >= deadline:
            raise WaitTimeout(
                f"waited {timeout_s:g} s for {what}; last state seen: {state}",
                remedy="look at the state above; if it only needs longer, raise the timeout in the cloud file",
            )
        sleep(max(interval_s, min(longest_interval_s, (clock() - started) / 10)))
