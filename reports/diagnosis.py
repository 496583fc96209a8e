"""From a run's records to root causes: what is wrong, where, what to change, and what merely follows from it.

Checks name the checks they rest on. A failed check whose foundations all hold is a root cause; its own message says
what is wrong there, and the foundations that passed rule out its look-alikes. A failed check that rests on another
failed one follows from it. The same records give the same causes in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.records import CheckRecord, Verdict

LAYERS = (
    "preflight",
    "undercloud",
    "host",
    "control_plane",
    "image",
    "flavor",
    "tenant",
    "instance",
    "cuda",
    "lifecycle",
    "tenants",
)
"""From the bottom up: of two independent causes the deeper one stands first."""
HOST_LAYERS = ("host.", "control_plane.")
SCENARIO_LAYERS = ("lifecycle.", "tenants.")
OF_GUESTS = ("control_plane.capacity.",)
"""Checks of the control plane that are made for each instance."""
MESSAGE_LIMIT_CHARS = 400
SHOWN_RULED_OUT = 6


@dataclass(frozen=True)
class Cause:
    """One root cause."""

    layer: str
    check: str
    """The check that found it."""
    cause: str
    """Its stable name within the check."""
    places: tuple[str, ...]
    """Hosts, devices or guests that have it; empty for the cloud as a whole."""
    what: str
    fix: str
    file: str
    line_number: int | None
    ruled_out: tuple[str, ...]
    """Foundations that passed at these places: causes that would look alike."""
    follows: tuple[tuple[str, str], ...]
    """Check and place of the failures that follow from it."""

    def lines(self) -> Iterable[str]:
        """For a terminal."""
        places = f" [{', '.join(self.places)}]" if self.places else ""
        yield f"REJECTED  {self.check}{places}: {self.cause}"
        yield f"          {_one_line(self.what)}"
        if self.file:
            line = f":{self.line_number}" if self.line_number is not None else ""
            yield f"          in {self.file}{line}"
        if self.fix:
            yield f"          to do: {_one_line(self.fix)}"
        if self.ruled_out:
            shown = ", ".join(self.ruled_out[:SHOWN_RULED_OUT])
            more = f" and {len(self.ruled_out) - SHOWN_RULED_OUT} more" if len(self.ruled_out) > SHOWN_RULED_OUT else ""
            yield f"          it is not: {shown}{more} (passed)"
        if self.follows:
            names = sorted({check for check, _ in self.follows})
            yield f"          {len(self.follows)} more follow from it: {', '.join(names)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MESSAGE_LIMIT_CHARS]


def diagnose(records: Sequence[CheckRecord]) -> list[Cause]:
    """Root causes of a run, the deepest layer first."""
    bad = [record for record in records if record.verdict is Verdict.FAILED]
    roots = [record for record in bad if not _foundations(record, bad)]
    follows = {(record.id, record.place): _roots_of(record, bad) for record in bad if record not in roots}
    grouped: dict[tuple[str, ...], list[CheckRecord]] = {}
    for root in roots:
        grouped.setdefault((root.id, root.cause, root.fix, root.file), []).append(root)
    causes = [_cause(group, records, follows) for group in grouped.values()]
    return sorted(causes, key=lambda cause: (_depth(cause.layer), cause.check, cause.cause, cause.places))


def _cause(
    group: list[CheckRecord], records: Sequence[CheckRecord], follows: dict[tuple[str, str], set[tuple[str, str]]]
) -> Cause:
    first = min(group, key=lambda record: record.place)
    mine = {(record.id, record.place) for record in group}
    passed = {record.id for record in records if record.verdict is Verdict.PASSED}
    return Cause(
        layer=_layer(first.id),
        check=first.id,
        cause=first.cause,
        places=tuple(sorted({record.place for record in group if record.place})),
        what=first.message,
        fix=first.fix,
        file=first.file,
        line_number=first.line_number,
        ruled_out=tuple(sorted(_below(first, records) & passed)),
        follows=tuple(sorted(key for key, origins in follows.items() if origins & mine)),
    )


def _layer(check: str) -> str:
    return check.split(".")[0]


def _depth(layer: str) -> int:
    return LAYERS.index(layer) if layer in LAYERS else len(LAYERS)


def _foundations(record: CheckRecord, bad: Iterable[CheckRecord]) -> list[CheckRecord]:
    """Failed checks that this one rests on directly, at the same place or at one of another kind."""
    return [
        other for other in bad if other is not record and _rests_on(record, other.id) and _is_compatible(record, other)
    ]


def _rests_on(record: CheckRecord, check: str) -> bool:
    return any(check == name or (name.endswith(".*") and check.startswith(name[:-1])) for name in record.rests_on)


def _is_compatible(record: CheckRecord, other: CheckRecord) -> bool:
    """One host's fault does not explain another host's, nor one guest's another's."""
    kind = _kind_of_place(record.id)
    if kind != _kind_of_place(other.id) or kind == "scenario":
        return True
    return not record.place or not other.place or record.place == other.place


def _kind_of_place(check: str) -> str:
    """Whether a check's place is a host, a guest, or only a case of a scenario."""
    if check.startswith(SCENARIO_LAYERS):
        return "scenario"
    return "host" if check.startswith(HOST_LAYERS) and not check.startswith(OF_GUESTS) else "guest"


def _roots_of(record: CheckRecord, bad: Sequence[CheckRecord]) -> set[tuple[str, str]]:
    found, open_records, seen = set(), [record], set()
    while open_records:
        current = open_records.pop()
        if (current.id, current.place) in seen:
            continue
        seen.add((current.id, current.place))
        below = _foundations(current, bad)
        open_records += below
        if not below:
            found.add((current.id, current.place))
    return found


def _below(record: CheckRecord, records: Sequence[CheckRecord]) -> set[str]:
    """Ids of all checks that this one rests on, directly or not."""
    known = {other.id: other for other in records}
    found: set[str] = set()
    open_ids = [record.id]
    while open_ids:
        current = known.get(open_ids.pop())
        for name in known if current is not None else ():
            if current is not None and name not in found and _rests_on(current, name):
                found.add(name)
                open_ids.append(name)
    return found
