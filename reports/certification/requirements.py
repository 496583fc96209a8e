"""The catalogue of requirements, and what a run says of each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from judging.records import CheckRecord, Verdict
from reports.certification.deviations import Deviation
from reports.certification.subject import uncovered_cards, unknown_cards, unknown_servers
from reports.run import Run

CATALOGUE = Path(__file__).with_name("requirements.yaml")
REASONS_SHOWN = 5


class Status(StrEnum):
    """What a run says of a requirement."""

    MET = "met"
    NOT_MET = "not met"
    NOT_SHOWN = "not shown"
    """Nothing failed, but not all of it passed."""
    NOT_TESTED = "not tested"
    """The run left it out, or a part of it."""


class Decision(StrEnum):
    """The certificate's verdict."""

    PASS = "PASS"  # noqa: S105  # no password
    PASS_WITH_DEVIATIONS = "PASS WITH DEVIATIONS"  # noqa: S105
    NOT_COMPLETE = "NOT COMPLETE"
    """No blocker is broken, but one was not tested: neither a pass nor a finding against the hardware."""
    FAIL = "FAIL"


@dataclass(frozen=True)
class Requirement:
    """One line of the catalogue."""

    id: str
    text: str
    blocker: bool
    checks: tuple[str, ...] = ()
    facts: str = ""
    optional: bool = False

    def covers(self, check: str) -> bool:
        """Whether a check proves it."""
        return any(fnmatchcase(check, pattern) for pattern in self.checks)


@dataclass(frozen=True)
class Judged:
    """A requirement and what the run says."""

    requirement: Requirement
    status: Status
    reasons: tuple[str, ...]
    """Why it is not met or not shown."""
    checks: tuple[str, ...]
    """Ids of what was looked at."""
    deviation: Deviation | None

    @property
    def is_open(self) -> bool:
        """Not met; what was not tested is open where it is a blocker."""
        return self.status in (Status.NOT_MET, Status.NOT_SHOWN) or self.is_untested_blocker

    @property
    def is_untested_blocker(self) -> bool:
        """Whether nobody looked at what has to be met."""
        return self.status is Status.NOT_TESTED and self.requirement.blocker

    @property
    def fails(self) -> bool:
        """Whether the certificate is no pass by it alone."""
        return self.is_open and self.requirement.blocker and self.deviation is None


def catalogue(path: Path = CATALOGUE) -> tuple[Requirement, ...]:
    """All requirements in order."""
    entries: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["requirements"]
    return tuple(Requirement(**{**entry, "checks": tuple(entry.get("checks", ()))}) for entry in entries)


def catalogue_sha256(path: Path = CATALOGUE) -> str:
    """Which catalogue it was."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def judge(run: Run, requirements: Sequence[Requirement], deviations: Sequence[Deviation]) -> tuple[Judged, ...]:
    """Each requirement by the run's records; a check belongs to the first requirement that names it."""
    given = {deviation.requirement: deviation for deviation in deviations}
    left = list(run.checks)
    judged = []
    for requirement in requirements:
        mine = [check for check in left if requirement.covers(check.id)]
        left = [check for check in left if not requirement.covers(check.id)]
        status, reasons = _by_facts(run, requirement) if requirement.facts else _by_checks(requirement, mine)
        is_unbroken = status in (Status.MET, Status.NOT_TESTED) or not mine
        untested = _untested(run, requirement) if is_unbroken else ()
        if untested:
            status, reasons = Status.NOT_TESTED, untested
        ids = tuple(sorted({check.id for check in mine}))
        judged.append(Judged(requirement, status, reasons, ids, given.get(requirement.id)))
    return tuple(judged)


FACTS: dict[str, Callable[[Run], list[str]]] = {
    "server": unknown_servers,
    "cards": unknown_cards,
    "coverage": uncovered_cards,
}


def _by_facts(run: Run, requirement: Requirement) -> tuple[Status, tuple[str, ...]]:
    missing = FACTS[requirement.facts](run)
    return (Status.NOT_SHOWN, _shortened(missing)) if missing else (Status.MET, ())


NOTHING_RUN = (Status.NOT_SHOWN, ("no such check was run",))


def _by_checks(requirement: Requirement, checks: Sequence[CheckRecord]) -> tuple[Status, tuple[str, ...]]:
    failed = [check for check in checks if check.verdict is Verdict.FAILED]
    open_ = [check for check in checks if check.verdict is not Verdict.PASSED]
    if failed:
        return Status.NOT_MET, _shortened(map(_words, failed))
    if open_:
        return Status.NOT_SHOWN, _shortened(map(_words, open_))
    if checks or "*" in requirement.checks:
        return Status.MET, ()
    return (Status.NOT_TESTED, ("no such check was run",)) if requirement.optional else NOTHING_RUN


def _untested(run: Run, requirement: Requirement) -> tuple[str, ...]:
    """Checks of a requirement that the run left out on purpose, and why; one that was made at some place is tested."""
    made = {check.id for check in run.checks}
    left_out = run.end.left_out if run.end else {}
    why: dict[str, list[str]] = {}
    for name, reason in sorted(left_out.items()):
        if "*" not in requirement.checks and requirement.covers(name) and name not in made:
            why.setdefault(reason, []).append(name)
    return _shortened(f"not tested: {', '.join(_shortened(names))}: {reason}" for reason, names in why.items())


def _words(check: CheckRecord) -> str:
    where = f" [{check.place}]" if check.place else ""
    return f"{check.id}{where} {check.verdict}: {' '.join(check.message.split())[:300]}"


def _shortened(reasons: Iterable[str]) -> tuple[str, ...]:
    found = list(reasons)
    more = [f"and {len(found) - REASONS_SHOWN} more"] if len(found) > REASONS_SHOWN else []
    return (*found[:REASONS_SHOWN], *more)


def decide(judged: Iterable[Judged]) -> Decision:
    """FAIL by one blocker, NOT COMPLETE by one that was not tested; deviations are said where anything is open."""
    judged = list(judged)
    failing = [each for each in judged if each.fails]
    if failing:
        return Decision.NOT_COMPLETE if all(each.is_untested_blocker for each in failing) else Decision.FAIL
    return Decision.PASS_WITH_DEVIATIONS if any(each.is_open for each in judged) else Decision.PASS
