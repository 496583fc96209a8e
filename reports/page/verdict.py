"""The head of the page: what the run came to, why, and what it covers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from judging.coverage import ExcusedCards
from judging.outcome import WORST_FIRST, Outcome
from judging.records import CheckRecord, Verdict
from reports.page.text import natural, plural
from reports.run import Run

WORDS = {
    Outcome.ACCEPTED: "Accepted",
    Outcome.REJECTED: "Rejected",
    Outcome.COULD_NOT_JUDGE: "Could not be judged",
}
MEANINGS = {
    Verdict.FAILED: "it is wrong",
    Verdict.ERROR: "it could not be measured",
    Verdict.NOT_VERIFIED: "there is no evidence either way",
    Verdict.BLOCKED: "what it rests on failed",
    Verdict.PASSED: "",
}


@dataclass(frozen=True)
class Unjudged:
    """Checks that are neither passed nor failed, for one reason."""

    verdict: Verdict
    checks: tuple[str, ...]
    message: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class Head:
    """What stands first."""

    outcome: Outcome
    word: str
    sentence: str
    notes: tuple[str, ...]
    """What limits the verdict: a part run, simulated hardware, lost lines."""
    counts: tuple[tuple[Verdict, int], ...]
    facts: tuple[tuple[str, str], ...]
    unjudged: tuple[Unjudged, ...]


def head_of(run: Run, causes: int) -> Head:
    """Verdict, its limits and what it covers; `causes` is the number of root causes."""
    counts = Counter(check.verdict for check in run.checks)
    outcome = run.outcome
    part_passed = outcome is Outcome.ACCEPTED and not run.header.whole
    return Head(
        outcome=outcome,
        word="Passed in part" if part_passed else WORDS[outcome],
        sentence=_sentence(outcome, counts, causes),
        notes=tuple(_notes(run)),
        counts=tuple((verdict, counts[verdict]) for verdict in WORST_FIRST),
        facts=tuple(_facts(run)),
        unjudged=tuple(_unjudged(run.checks)),
    )


def _sentence(outcome: Outcome, counts: Counter[Verdict], causes: int) -> str:
    total = counts.total()
    if outcome is Outcome.ACCEPTED:
        return f"All {plural(total, 'check')} passed." if total > 1 else "The only check passed."
    open_checks = total - counts[Verdict.PASSED] - counts[Verdict.FAILED]
    rest = f" {plural(open_checks, 'more check')} could not be judged." if open_checks else ""
    if outcome is Outcome.REJECTED:
        return (
            f"{counts[Verdict.FAILED]:,} of {plural(total, 'check')} failed, from {plural(causes, 'root cause')}.{rest}"
        )
    if not total:
        return "Nothing was checked."
    return f"No check failed, but {open_checks:,} of {plural(total, 'check')} gave no evidence." if open_checks else ""


def _notes(run: Run) -> list[str]:
    header, notes = run.header, []
    if run.simulated:
        notes.append("The hardware was simulated: this is a rehearsal and says nothing about a real server or GPU.")
    if run.simulated and not header.simulated:
        notes.append(
            "The run's first line says that its hardware was real, but checks of it were on simulated hardware."
        )
    if not header.whole:
        notes.append("Only a part of the suites was asked for: this is no acceptance of the cloud.")
    if run.coverage.missing:
        notes += [_excuse(excuse) for excuse in header.excused_cards]
    if run.end is None:
        notes.append("The run was cut off: its last line is missing, and what it did not reach is not here.")
    if run.unreadable_lines:
        notes.append(f"{plural(run.unreadable_lines, 'line')} of the records could not be read.")
    if run.end is not None and run.end.outcome is not run.outcome:
        notes.append(f"The run's last line says {run.end.outcome}; its checks say {run.outcome}.")
    return notes


def _excuse(excuse: ExcusedCards) -> str:
    where = f" of {excuse.host}" if excuse.host else ""
    return f"The cloud file excuses up to {plural(excuse.cards, 'card')}{where} from being measured: {excuse.reason}."


def _facts(run: Run) -> list[tuple[str, str]]:
    header = run.header
    return [
        ("Cloud", header.cloud),
        ("Run", header.id),
        ("Hardware", "simulated" if run.simulated else "real"),
        ("Release", str(header.environment.get("release") or "not recorded")),
        ("Started", moment(header.started)),
        ("Took", _duration(header.started, run.end.ended) if run.end else "cut off"),
        *_coverage(run),
        (
            "Suite",
            f"{header.suite_version}, commit {header.suite_commit or 'not known'}, "
            f"records version {header.schema_version}",
        ),
    ]


def _coverage(run: Run) -> list[tuple[str, str]]:
    """Declared against looked at."""
    places = {check.place for check in run.checks if check.verdict is not Verdict.NOT_VERIFIED}
    found = []
    for word, declared in (("GPU hosts", run.header.declared_hosts), ("Instances", run.header.declared_guests)):
        if declared:
            found.append((word, f"{len(places & declared.keys()):,} of {len(declared):,} looked at"))
    coverage = run.coverage
    if coverage.declared:
        excused = coverage.missing - coverage.unexcused
        found.append(
            (
                "GPUs",
                f"{coverage.measured:,} of {coverage.declared:,} measured"
                + (f", {excused:,} excused" if excused else ""),
            )
        )
    return found


def _unjudged(checks: Sequence[CheckRecord]) -> list[Unjudged]:
    """One for each verdict and reason: a deploy that failed blocks a hundred checks for one."""
    groups: dict[tuple[Verdict, str], list[CheckRecord]] = {}
    for check in checks:
        if check.verdict not in (Verdict.PASSED, Verdict.FAILED):
            groups.setdefault((check.verdict, check.message), []).append(check)
    found = [
        Unjudged(verdict, tuple(sorted({each.id for each in group})), message, _places(group))
        for (verdict, message), group in groups.items()
    ]
    return sorted(found, key=lambda item: (WORST_FIRST.index(item.verdict), item.checks, item.message))


def _places(group: Sequence[CheckRecord]) -> tuple[str, ...]:
    return tuple(sorted({check.place for check in group if check.place}, key=natural))


def moment(text: str) -> str:
    """ISO 8601 as 2026-03-01 02:00:00 UTC; as it is where it is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when.utcoffset() is not None and not when.utcoffset() else text


def _duration(started: str, ended: str) -> str:
    try:
        seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
    except (ValueError, TypeError):
        return "not recorded"
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {left:02} s" if minutes else f"{seconds:.1f} s"
