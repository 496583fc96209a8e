"""What an acceptance reported is judged: found, its cause named, nothing else blamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from faults.fault import Expected, Fault
from faults.score import Answer, judge, not_injected, summary

CHECK, CAUSE, PLACE = "host.iommu.cmdline", "not-rebooted", "compute-0"
FAULT = Fault("x", "title", "symptom", ({"reboot": PLACE},), (Expected(CHECK, CAUSE, PLACE),))
RECORD = {"id": CHECK, "place": PLACE, "verdict": "failed", "cause": CAUSE, "message": "m"}
ROOT = {"check": CHECK, "cause": CAUSE, "places": [PLACE], "ruled_out": ["a", "b"], "fix": "reboot the host"}
OTHER = {**ROOT, "check": "host.gpu.bound", "cause": "nouveau-bound"}
RIGHT = Answer(1, [RECORD], [ROOT], "")


def test_a_named_cause_is_right() -> None:
    """The expected check failed and its cause is the only root cause."""
    score = judge(FAULT, RIGHT, 1.0)

    assert (score.found, score.cause_right, score.extra, score.ruled_out) == (True, True, (), 2)
    assert score.fix == "reboot the host"


@pytest.mark.parametrize(
    ("answer", "found", "cause_right", "extra"),
    [
        (replace(RIGHT, causes=[OTHER]), True, False, 1),
        (replace(RIGHT, causes=[ROOT, OTHER]), True, True, 1),
        (replace(RIGHT, checks=[{**RECORD, "place": "compute-1"}], causes=[]), False, False, 0),
        (replace(RIGHT, checks=[{**RECORD, "verdict": "error"}], causes=[]), False, False, 0),
        (replace(RIGHT, same_twice=False), True, False, 0),
        (replace(RIGHT, checks=[], causes=[]), False, False, 0),
    ],
    ids=["other-cause", "one-cause-more", "other-place", "not-measured", "unstable", "no-records"],
)
def test_anything_else_is_not_right(answer: Answer, found: bool, cause_right: bool, extra: int) -> None:
    """A wrong cause, a second one, another host, a check that could not measure: each lowers the score."""
    score = judge(FAULT, answer, 1.0)

    assert (score.found, score.cause_right, len(score.extra)) == (found, cause_right, extra)
    assert not score.is_right


@pytest.mark.parametrize(("verdict", "is_right"), [("passed", True), ("failed", False), ("not verified", False)])
def test_a_healthy_cloud_has_only_passed_checks(verdict: str, is_right: bool) -> None:
    """Whatever does not pass on a healthy cloud is a false alarm."""
    healthy = replace(FAULT, expect=())

    assert (
        judge(healthy, replace(RIGHT, exit_code=0, checks=[{**RECORD, "verdict": verdict}]), 1.0).is_right is is_right
    )


@pytest.mark.parametrize("exit_code", [-9, -15, 2, 70])
def test_a_healthy_cloud_is_accepted_to_the_end(exit_code: int) -> None:
    """A run that was cut off has only passed so far."""
    healthy = replace(FAULT, expect=())

    score = judge(healthy, replace(RIGHT, exit_code=exit_code, checks=[{**RECORD, "verdict": "passed"}]), 1.0)

    assert not score.is_right


def test_a_run_that_its_limit_ended_leaves_its_causes() -> None:
    """What was found counts, and the note says that the run was cut off."""
    score = judge(FAULT, replace(RIGHT, exit_code=-15), 1.0)

    assert score.cause_right
    assert "ended by its limit" in score.note


def test_refused_input_must_say_why() -> None:
    """A cloud file that cannot be used ends with exit code 4 and names what is wrong with it."""
    refused = replace(FAULT, expect=(Expected("no such model", verdict="refused"),))

    assert judge(refused, Answer(4, [], [], "line 3: no such model P1000"), 1.0).is_right
    assert not judge(refused, Answer(4, [], [], "line 3: wrong"), 1.0).is_right
    assert not judge(refused, Answer(1, [RECORD], [], "no such model"), 1.0).is_right


def test_a_fault_that_was_not_injected_counts_as_missed() -> None:
    """The score does not leave out what could not be tried."""
    score = not_injected(FAULT, 1.0, "the lab did not start")
    lines: list[dict[str, Any]] = [{"line": line} for line in summary([score, judge(FAULT, RIGHT, 1.0)]).splitlines()]

    assert not score.is_right
    assert lines[0]["line"].startswith("1 of 2 faults found")
