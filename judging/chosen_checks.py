"""Which checks a person chose by name, and what they rest on: one alone tells no cause from what follows it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from access.errors import InputError
from judging.layers import is_of_one_place, layer_of
from judging.records import check_name


@dataclass(frozen=True)
class Made:
    """One check at one place, as a test makes it."""

    id: str
    place: str
    """"" for the cloud as a whole"""
    rests_on: tuple[str, ...]
    """Ids; `host.*` names all that begin so"""

    @property
    def name(self) -> str:
        """As page, JUnit and `--check` name it."""
        return check_name(self.id, self.place)


def chosen(names: Sequence[str], made: Sequence[Made]) -> list[bool]:
    """Of each check whether it is to be made.

    A name is an id, an id with a place (`host.iommu.cmdline[compute-0]`), or a pattern of them (`host.iommu.*`). What a
    check rests on is made, too: at its place where that is a place of the same kind, else everywhere.

    Raises:
        InputError: a name is that of no check.
    """
    found = {index for name in names for index in _named(name, made)}
    left = list(found)
    while left:
        check = made[left.pop()]
        below = {index for index, other in enumerate(made) if _bears(check, other)} - found
        found |= below
        left += below
    return [index in found for index in range(len(made))]


def _named(name: str, made: Sequence[Made]) -> list[int]:
    found = [index for index, check in enumerate(made) if _is(name, check)]
    if not found:
        near = difflib.get_close_matches(name, sorted({text for check in made for text in (check.id, check.name)}), 4)
        raise InputError(
            f"there is no check {name!r} in this cloud's suites" + (f"; near: {', '.join(near)}" if near else ""),
            remedy="--list-checks names all, a place stands in brackets: --check 'ID[HOST]'",
        )
    return found


def _is(name: str, check: Made) -> bool:
    """A bracket is part of a place, never of a pattern."""
    if name in (check.id, check.name):
        return True
    return "[" not in name and fnmatchcase(check.id, name)


def _bears(check: Made, other: Made) -> bool:
    names_it = any(
        other.id == name or (name.endswith("*") and other.id.startswith(name[:-1])) for name in check.rests_on
    )
    is_near = check.place == other.place or not other.place or not is_of_one_place(check.id, other.id)
    return names_it and is_near


def listed(checks: Iterable[tuple[str, str]], names: Sequence[str] = ()) -> Mapping[str, list[tuple[str, str]]]:
    """Ids and facts by their layer's title, of those that were named or of all."""
    found: dict[str, list[tuple[str, str]]] = {}
    for check, fact in checks:
        if not names or any(fnmatchcase(check, name.partition("[")[0]) for name in names):
            found.setdefault(layer_of(check).title, []).append((check, fact))
    return found
