"""What an acceptance said of a fault, judged: found, its cause named, nothing else blamed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from faults.fault import REFUSED, Expected, Fault

USAGE_ERROR = 4
"""Of pytest: bad options or cloud file."""


@dataclass(frozen=True)
class Answer:
    """How one acceptance ended."""

    exit_code: int
    checks: Sequence[dict[str, Any]]
    """Check records."""
    causes: Sequence[dict[str, Any]]
    """Root causes as `reports.diagnosis` names them: check, cause, places, ruled_out, …"""
    output: str
    """End of what pytest printed."""
    same_twice: bool = True
    """Whether the diagnosis of the same records in another order had the same words."""


@dataclass(frozen=True)
class Score:
    """One row of the table."""

    fault: str
    title: str
    found: bool
    cause_right: bool
    extra: tuple[str, ...]
    """Root causes that were blamed besides."""
    ruled_out: int
    """Look-alikes that the report excludes, by checks that passed."""
    seconds: float
    note: str = ""
    is_healthy: bool = False
    rows: tuple[str, ...] = ()
    fix: str = ""
    """What the report tells people to do."""

    @property
    def is_right(self) -> bool:
        """Found, its cause named, and nothing else blamed."""
        return self.found and self.cause_right and not self.extra


def judge(fault: Fault, answer: Answer, seconds: float) -> Score:
    """Compare what must be said with what was said."""
    if any(item.verdict == REFUSED for item in fault.expect):
        return _refusal(fault, answer, seconds)
    if not answer.checks:
        return _nothing(fault, seconds, f"the acceptance recorded nothing ({answer.exit_code}): {answer.output[-300:]}")
    if not fault.expect:
        bad = tuple(sorted({_shown(check) for check in answer.checks if check["verdict"] != "passed"}))
        if not bad and answer.exit_code != 0:  # a run that was cut off has only passed so far
            bad = (f"the acceptance ended with {answer.exit_code}: {answer.output[-200:]}",)
        return Score(fault.id, fault.title, not bad, not bad, bad, 0, seconds, "", True, fault.rows)
    found = [_is_found(item, answer.checks) for item in fault.expect]
    named = [_is_named(item, answer) for item in fault.expect]
    extra = [cause for cause in answer.causes if not _is_expected(cause, fault)]
    ruled_out = {name for cause in answer.causes if cause not in extra for name in cause["ruled_out"]}
    note = "" if all(named) else _what_was_said(fault, answer)
    if answer.exit_code < 0:
        note = f"the acceptance was ended by its limit; {note}"
    if not answer.same_twice:
        note = f"the same records gave two diagnoses; {note}"
    fix = next((str(cause.get("fix", "")) for cause in answer.causes if _matches(fault.expect[0], cause)), "")
    return Score(
        fault.id,
        fault.title,
        all(found),
        all(named) and answer.same_twice,
        tuple(map(_cause_shown, extra)),
        len(ruled_out),
        seconds,
        note[:600],
        False,
        fault.rows,
        fix,
    )


def _refusal(fault: Fault, answer: Answer, seconds: float) -> Score:
    """Bad input: nothing is run, and the message says where and why (`check` is a word of it)."""
    refused = answer.exit_code == USAGE_ERROR and not answer.checks
    is_explained = refused and all(item.check in answer.output for item in fault.expect)
    note = "" if is_explained else f"exit code {answer.exit_code}: {answer.output[-300:]}"
    return Score(fault.id, fault.title, refused, is_explained, (), 0, seconds, note, False, fault.rows)


def _nothing(fault: Fault, seconds: float, note: str) -> Score:
    return Score(fault.id, fault.title, False, False, (), 0, seconds, note, not fault.expect, fault.rows)


def not_injected(fault: Fault, seconds: float, reason: str) -> Score:
    """The lab could not be brought into that state."""
    return _nothing(fault, seconds, f"not injected: {reason[:300]}")


def _shown(check: dict[str, Any]) -> str:
    message = " ".join(str(check["message"]).split())[:160]
    return f"{check['id']} [{check['place']}] {check['verdict']} {check['cause']}: {message}"


def _cause_shown(cause: dict[str, Any]) -> str:
    return f"{cause['check']} [{', '.join(cause['places'])}] {cause['cause']}"


def _what_was_said(fault: Fault, answer: Answer) -> str:
    """Causes that were named, and what became of the checks that should have failed."""
    expected = {item.check for item in fault.expect}
    checks = [_shown(check) for check in answer.checks if check["id"] in expected and check["verdict"] != "passed"]
    return "said: " + "; ".join([*map(_shown_with_finding, answer.causes), *checks])


def _shown_with_finding(cause: dict[str, Any]) -> str:
    return f"{_cause_shown(cause)} ({' '.join(str(cause.get('what', '')).split())[:120]})"


def _is_found(item: Expected, checks: Iterable[dict[str, Any]]) -> bool:
    return any(
        check["id"] == item.check and item.place in (None, check["place"]) and check["verdict"] == item.verdict
        for check in checks
    )


def _is_named(item: Expected, answer: Answer) -> bool:
    if item.verdict != "failed":
        return _is_found(item, answer.checks) and answer.exit_code != 0
    return any(_matches(item, cause) for cause in answer.causes)


def _matches(item: Expected, cause: dict[str, Any]) -> bool:
    same_place = item.place is None or item.place in cause["places"]
    return bool(cause["check"] == item.check and cause["cause"] == item.cause and same_place)


def _is_expected(cause: dict[str, Any], fault: Fault) -> bool:
    if cause["check"] in fault.allow:
        return True
    return any(_matches(item, cause) for item in fault.expect)


def table(scores: Iterable[Score]) -> str:
    """The scores as text."""
    head = ("fault", "found", "cause", "look-alikes excluded", "extra blame", "seconds")
    rows = [head, *(_row(score) for score in scores)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(score: Score) -> tuple[str, ...]:
    if score.is_healthy:
        found, cause = ("healthy", "-") if score.is_right else ("ALARM", "-")
    else:
        found, cause = ("yes" if score.found else "NO"), ("right" if score.cause_right else "WRONG")
    extra = ", ".join(score.extra) or "-"
    return score.fault, found, cause, str(score.ruled_out), extra[:200], f"{score.seconds:.0f}"


def summary(scores: Sequence[Score]) -> str:
    """The figures that count, one a line."""
    faults = [score for score in scores if not score.is_healthy]
    healthy = [score for score in scores if score.is_healthy]
    rows = {row for score in faults for row in score.rows}
    lines = [
        f"{sum(score.found for score in faults)} of {len(faults)} faults found ({len(rows)} rows of the catalogue)",
        f"{sum(score.cause_right for score in faults)} of {len(faults)} causes named",
        f"{sum(not score.extra for score in faults)} of {len(faults)} without other blame",
        f"{sum(score.is_right for score in healthy)} of {len(healthy)} healthy variants green",
        f"{sum(score.is_right for score in scores)} of {len(scores)} right, {sum(s.seconds for s in scores):.0f} s",
    ]
    return "\n".join(lines)
