"""What a whole run came to, by its checks; and the order of verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from judging.records import CheckRecord, Verdict


class Outcome(StrEnum):
    """What a whole run came to."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    COULD_NOT_JUDGE = "could not judge"


EXIT_CODES = {Outcome.ACCEPTED: 0, Outcome.REJECTED: 1, Outcome.COULD_NOT_JUDGE: 69}
"""What a run ends with; 70 if what it made could not be removed."""


def outcome_of(checks: Iterable[CheckRecord]) -> Outcome:
    """A failure rejects; anything else that is not passed, or nothing at all, cannot be judged."""
    verdicts = {check.verdict for check in checks}
    if Verdict.FAILED in verdicts:
        return Outcome.REJECTED
    return Outcome.ACCEPTED if verdicts == {Verdict.PASSED} else Outcome.COULD_NOT_JUDGE


WORST_FIRST = (Verdict.FAILED, Verdict.ERROR, Verdict.NOT_VERIFIED, Verdict.BLOCKED, Verdict.PASSED)
"""The order of verdicts: where two speak of one thing, the worse one counts."""
