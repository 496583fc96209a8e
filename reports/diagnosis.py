"""From a run's records to root causes: what is wrong, where, what to change, and what merely follows from it.

Checks name the checks they rest on. A failed check whose foundations all hold is a root cause; its own message says
what is wrong there, and the foundations that passed rule out its look-alikes. A failed check that rests on another
failed one follows from it. The same records give the same causes in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from judging.driver_words import urgency
from judging.layers import is_of_one_place, layer_of
from judging.records import CheckRecord, Verdict
from probes.card_identity import CardIdentity

MESSAGE_LIMIT_CHARS = 400
SHOWN_RULED_OUT = 6
SHOWN_PLACES = 8
LEAST_SHOWN_CHARS = 60
SHOWN_CARDS = 8


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
    cards: tuple[CardIdentity, ...]
    """The physical cards that have it; empty where it is no matter of cards."""
    what: str
    fix: str
    file: str
    line_number: int | None
    ruled_out: tuple[str, ...]
    """Foundations that passed at these places, the nearest first: causes that would look alike."""
    follows: tuple[tuple[str, str], ...]
    """Check and place of the failures that follow from it."""

    def lines(self) -> Iterable[str]:
        """For a terminal."""
        places = f" [{', '.join(self.places)}]" if self.places else ""
        yield f"REJECTED  {self.check}{places}: {self.cause}"
        yield f"          {_one_line(self.what)}"
        for card in self.cards[:SHOWN_CARDS]:
            yield f"          card: {card.shown}"
        if len(self.cards) > SHOWN_CARDS:
            yield f"          and {len(self.cards) - SHOWN_CARDS} more cards"
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


Key = tuple[str, str]
"""Check and place."""


def diagnose(records: Sequence[CheckRecord]) -> list[Cause]:
    """Root causes of a run, the deepest layer first."""
    failures = _Failures([record for record in records if record.verdict is Verdict.FAILED])
    origins = {_key(record): failures.roots_of(record) for record in failures.all}
    grouped: dict[tuple[str, ...], list[CheckRecord]] = {}
    for record in failures.all:
        if not failures.below(record):
            grouped.setdefault((record.id, record.cause, record.fix, record.file), []).append(record)
    foundations = _Foundations(records)
    causes = [_cause(group, foundations, origins) for group in grouped.values()]
    return sorted(causes, key=_order)


def _order(cause: Cause) -> tuple[int, str, str, int, tuple[str, ...]]:
    """The deepest layer first; of one cause at several places what is most urgent there."""
    layer = layer_of(cause.check).order
    return (
        layer,
        cause.check,
        cause.cause,
        urgency(cause.what.removeprefix(f"{min(cause.places, default='')}: ")),
        cause.places,
    )


def _cause(group: list[CheckRecord], foundations: _Foundations, origins: dict[Key, frozenset[Key]]) -> Cause:
    group = sorted(group, key=lambda record: (record.place, record.message))  # whatever order the workers wrote them in
    first = group[0]
    mine = {_key(record) for record in group}
    return Cause(
        layer=layer_of(first.id).name,
        check=first.id,
        cause=first.cause,
        places=tuple(sorted({record.place for record in group if record.place})),
        what=_told(group),
        cards=tuple(dict.fromkeys(card for record in group for card in record.cards)),
        fix=first.fix,
        file=first.file,
        line_number=first.line_number,
        ruled_out=tuple(foundations.that_hold(first)),
        follows=tuple(sorted(key for key, roots in origins.items() if key not in mine and roots & mine)),
    )


def _told(group: Sequence[CheckRecord]) -> str:
    """What each place says; once where all say the same."""
    said = {record.message for record in group}
    if len(said) == 1:
        return said.pop()
    limit = max(LEAST_SHOWN_CHARS, MESSAGE_LIMIT_CHARS // min(len(group), SHOWN_PLACES) - 20)
    told = [f"{record.place}: {_one_line(record.message)[:limit]}" for record in group[:SHOWN_PLACES]]
    more = [f"and {len(group) - SHOWN_PLACES} more places"] if len(group) > SHOWN_PLACES else []
    return "; ".join(told + more)


def _key(record: CheckRecord) -> Key:
    return record.id, record.place


def _named(rests_on: Iterable[str], known: Iterable[str]) -> list[str]:
    """Which of the known checks a check's foundations name; `host.*` names all that begin so."""
    names = tuple(rests_on)
    prefixes = tuple(name[:-1] for name in names if name.endswith(".*"))
    return [check for check in known if check in names or (prefixes and check.startswith(prefixes))]


class _ByCheck:
    """Records by check and place, so that a thousand hosts take a thousand steps."""

    def __init__(self, records: Iterable[CheckRecord]) -> None:
        self.all = list(records)
        self.at: dict[str, dict[str, list[CheckRecord]]] = {}
        for record in self.all:
            self.at.setdefault(record.id, {}).setdefault(record.place, []).append(record)
        self._names: dict[tuple[str, ...], list[str]] = {}

    def under(self, record: CheckRecord) -> list[str]:
        """Checks that a record's check rests on directly."""
        if record.rests_on not in self._names:
            self._names[record.rests_on] = _named(record.rests_on, self.at)
        return self._names[record.rests_on]

    def concerning(self, record: CheckRecord, check: str) -> list[CheckRecord]:
        """Records of a check that bear on another record's place."""
        places = self.at.get(check, {})
        if not record.place or not is_of_one_place(record.id, check):
            return [other for found in places.values() for other in found if other is not record]
        here = [*places.get(record.place, ()), *places.get("", ())]
        return [other for other in here if other is not record]


class _Failures(_ByCheck):
    """Failed checks, and what follows from what."""

    def __init__(self, records: Iterable[CheckRecord]) -> None:
        super().__init__(records)
        self._roots: dict[Key, frozenset[Key]] = {}

    def below(self, record: CheckRecord) -> list[CheckRecord]:
        """Failed checks that this one rests on directly."""
        return [other for check in self.under(record) for other in self.concerning(record, check)]

    def roots_of(self, record: CheckRecord) -> frozenset[Key]:
        """Where a failure comes from in the end; itself, when it rests on no other."""
        key = _key(record)
        if key not in self._roots:
            self._roots[key] = frozenset()  # a circle of foundations ends here
            below = self.below(record)
            found = frozenset().union(*(self.roots_of(other) for other in below)) if below else frozenset({key})
            self._roots[key] = found
        return self._roots[key]


class _Foundations(_ByCheck):
    """All checks of a run, to tell which foundations of a failure hold."""

    def that_hold(self, record: CheckRecord) -> list[str]:
        """Checks that this one rests on and that passed wherever they bear on its place.

        Those that it names itself come first, then what these rest on: the first are most alike.
        """
        found: list[str] = []
        level, seen = [record], {record.id}
        while level:
            deeper: list[CheckRecord] = []
            for check in sorted({check for each in level for check in self.under(each)} - seen):
                concerning = self.concerning(record, check)
                if concerning:
                    seen.add(check)
                    deeper.append(concerning[0])
                    if all(other.verdict is Verdict.PASSED for other in concerning):
                        found.append(check)
            level = deeper
        return found
