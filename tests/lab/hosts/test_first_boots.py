"""The daemon that keeps the machines goes on whatever is booted meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lab.hosts.daemon.machines import Machines


class Process:
    """A first boot that another thread starts, or that has ended."""

    def __init__(self, poll: Callable[[], int | None]) -> None:
        self.poll = poll


def test_an_instance_that_boots_while_ended_first_boots_are_collected_is_kept(tmp_path: Path) -> None:
    """Eight instances booted at once ended the daemon: the set of first boots grew while it was gone through."""
    state: Any = SimpleNamespace(paths=SimpleNamespace(machines=tmp_path), marker="lab")
    machines = Machines(state, lambda _: None, lambda _: None)
    later: Any = Process(lambda: None)

    def ended_while_another_starts() -> int:
        machines._first_boots.add(later)
        return 0

    ended: Any = Process(ended_while_another_starts)
    machines._first_boots.add(ended)
    machines.look_after()

    assert machines._first_boots == {later}
