"""What a whole run came to, by its checks and by all that speaks against them; and the order of verdicts.

`outcome_of` is the one judge: the session's end, the terminal, the page, JUnit and the certificate ask it.
"""

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
CLEANUP_FAILED = 70


def outcome_of(checks: Iterable[CheckRecord], doubts: Iterable[str] = ()) -> Outcome:
    """A failure rejects; anything else that is not passed, nothing at all, or any doubt, cannot be judged.

    `doubts` say what beside the checks forbids to accept: a failure that pytest saw, lost or altered lines, an end
    that did not come.
    """
    verdicts = {check.verdict for check in checks}
    if Verdict.FAILED in verdicts:
        return Outcome.REJECTED
    is_accepted = verdicts == {Verdict.PASSED} and not any(doubts)
    return Outcome.ACCEPTED if is_accepted else Outcome.COULD_NOT_JUDGE


def exit_code_of(outcome: Outcome, status: int, code: int = 0) -> int:
    """The exit code of a run: its outcome's, or pytest's own where the run did not come to its end.

    `status` is what pytest ended the tests with, `code` what the session's end made of it (70: not everything is
    removed). Neither can make a better code than the outcome has.
    """
    if status not in (0, 1):
        return status
    return CLEANUP_FAILED if outcome is Outcome.COULD_NOT_JUDGE and code == CLEANUP_FAILED else EXIT_CODES[outcome]


WORST_FIRST = (Verdict.FAILED, Verdict.ERROR, Verdict.NOT_VERIFIED, Verdict.BLOCKED, Verdict.PASSED)
"""The order of verdicts: where two speak of one thing, the worse one counts."""
