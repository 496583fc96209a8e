"""Faults whose lab could not be prepared: one failed preparation costs one fault, not the whole batch."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any, cast

import pytest

from faults import acceptances, run
from faults.fault import Expected, Fault
from faults.runner import Runner
from faults.score import Answer, Score
from lab.errors import LabError

FAULTS = [
    Fault(f"f{number}", "title", "symptom", ({"reboot": "compute-0"},), (Expected("c", "d"),)) for number in range(6)
]


class PreparedAfter:
    """A runner whose first preparations fail."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.is_broken = False
        self.state = "lab"
        self.made_again = 0

    def prepare(self) -> Answer:
        """Fail as often as was said."""
        if self.failures:
            self.failures -= 1
            raise LabError("the healthy lab is not accepted")
        return Answer(0, [], [], "")

    def judge(self, fault: Fault) -> Score:
        """Every fault that is judged is found."""
        return Score(fault.id, fault.title, True, True, (), 0, 1.0)

    def finish(self) -> None:
        """Nothing is left."""


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Scores of a batch after so many failed preparations, and how often the lab was made again."""

    def scores(failures: int) -> tuple[list[bool], int]:
        runner = PreparedAfter(failures)

        def remade(state: str) -> str:
            runner.made_again += 1
            return state

        monkeypatch.setattr(run, "remade", remade)
        found: Iterator[Score] = run._infor_variant(cast("Runner", runner), None, FAULTS)
        return [score.is_right for score in found], runner.made_again

    return scores


def test_one_failed_preparation_costs_one_fault(judged: Any) -> None:
    """The next fault gets a lab that was made again."""
    assert judged(1) == ([False, True, True, True, True, True], 1)


def test_a_lab_that_is_never_prepared_ends_the_batch(judged: Any) -> None:
    """Not after the first failure, and not after minutes for each of thirty faults either."""
    assert judged(99) == ([False] * 6, 2)


def test_failures_that_are_not_in_a_row_do_not_add_up(judged: Any) -> None:
    """Two failures, then it works."""
    assert judged(2) == ([False, False, True, True, True, True], 2)


def test_an_acceptance_whose_time_is_up_may_say_what_it_found() -> None:
    """It is asked to end before it is killed."""
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        while True:
            signal.pause()
    os.waitid(os.P_PID, child, os.WNOHANG | os.WEXITED | os.WNOWAIT)
    while os.getpgid(child) != child:
        os.sched_yield()

    assert acceptances._wait(child, 0.2) in (-signal.SIGTERM, -signal.SIGKILL)
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
