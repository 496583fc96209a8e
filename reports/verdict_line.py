"""A run in one line, for the end of a terminal's output: the verdict, where, how many checks, and from what."""

from __future__ import annotations

import textwrap
from collections import Counter

from judging.outcome import WORST_FIRST, Outcome
from reports.run import Run

WORDS = {
    Outcome.ACCEPTED: "ACCEPTED",
    Outcome.REJECTED: "REJECTED",
    Outcome.COULD_NOT_JUDGE: "COULD NOT JUDGE",
}
COLOURS: dict[Outcome, dict[str, bool]] = {
    Outcome.ACCEPTED: {"green": True},
    Outcome.REJECTED: {"red": True},
    Outcome.COULD_NOT_JUDGE: {"yellow": True},
}
VERDICT_COLOURS: dict[str, dict[str, bool]] = {
    "REJECTED": {"red": True},
    "ERROR": {"yellow": True},
    "NOT": {"yellow": True},
    "BLOCKED": {"yellow": True},
}
"""Of the summary's lines, by their first word"""
TEXT_BEGINS = 10
"""Column of a summary's text, behind its first word"""
LEAST_WIDTH = 40


def verdict_line(run: Run | None) -> str:
    """E.g. REJECTED  mine: 1 root cause; 2 failed, 9 blocked, 120 passed."""
    if run is None:
        return f"{WORDS[Outcome.COULD_NOT_JUDGE]}  the records could not be written"
    counts = Counter(check.verdict for check in run.checks)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in WORST_FIRST if counts[verdict]) or "no check"
    causes = len(run.causes)
    why = f"{causes} root cause{'' if causes == 1 else 's'}; " if causes else ""
    part = "" if run.header.whole else " (a part of the suites)"
    simulated = ", SIMULATED HARDWARE" if run.simulated else ""
    is_part_passed = run.outcome is Outcome.ACCEPTED and not run.header.whole
    word = "PASSED" if is_part_passed else WORDS[run.outcome]  # a part of the suites accepts no cloud
    return f"{word}{part}  {run.header.cloud}: {why}{told}{simulated}"


def wrapped(line: str, width: int | None) -> list[str]:
    """The line in pieces that fit a terminal, with what goes on under its first text; as it is where there is none.

    No word is broken: an id, a path or a command stays whole, so that it can be copied.
    """
    if width is None or len(line) <= width:
        return [line]
    first = len(line) - len(line.lstrip()) or TEXT_BEGINS
    return textwrap.wrap(
        line, max(width, LEAST_WIDTH), subsequent_indent=" " * first, break_long_words=False, break_on_hyphens=False
    )
