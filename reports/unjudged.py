"""Checks that are neither passed nor failed, with their reason, for a terminal: one line for each reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from judging.outcome import WORST_FIRST
from judging.records import CheckRecord, Verdict

REASON_LIMIT_CHARS = 300
NAMES_SHOWN = 4
MOST_LINES = 60


def unjudged_of(checks: Iterable[CheckRecord]) -> Iterator[str]:
    """One line for each verdict and reason, the worst first: what it hits, where, why."""
    groups: dict[tuple[Verdict, str], list[CheckRecord]] = {}
    for check in checks:
        if check.verdict not in (Verdict.PASSED, Verdict.FAILED):
            groups.setdefault((check.verdict, _reason(check)), []).append(check)
    ordered = sorted(groups, key=lambda key: (WORST_FIRST.index(key[0]), groups[key][0].id, key[1]))
    for verdict, reason in ordered[:MOST_LINES]:
        yield f"{verdict.upper()}  {_what(groups[verdict, reason])}: {reason}"
    if len(ordered) > MOST_LINES:
        yield f"… and {len(ordered) - MOST_LINES} more reasons: see the page"


def _reason(check: CheckRecord) -> str:
    text = " ".join((check.message or check.found or "no reason was given").split())
    return text if len(text) <= REASON_LIMIT_CHARS else f"{text[:REASON_LIMIT_CHARS]} …"


def _what(group: list[CheckRecord]) -> str:
    ids = _shown(sorted({check.id for check in group}))
    places = _shown(sorted({check.place for check in group if check.place}))
    return f"{ids} [{places}]" if places else ids


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
