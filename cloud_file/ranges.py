"""One entry for many: `gpu[01:12]` is twelve hosts, as Ansible writes ranges, and `defaults` are what entries share.

A file is expanded before anything else looks at it, and each mistake is still told by the line that somebody wrote.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloud_file import each_host
from cloud_file.reading import Location
from cloud_file.shapes import entries, mapping, text

RANGE = re.compile(r"\[([0-9]{1,6}|[A-Za-z]):([0-9]{1,6}|[A-Za-z])(?::([0-9]{1,4}))?\]")
"""https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html, "Adding ranges of hosts"."""
COUNTED = {"hosts": "name", "guests": "name", "excused_cards": "host"}
"""Lists whose entries may stand for many, and the key that tells for how many."""
SHARED = ("hosts", "guests", "flavors")
"""Lists whose entries take what they do not say from `defaults`."""
LIMIT = 4000
"""Entries that the ranges of a list may stand for."""


@dataclass
class Expanded:
    """The file with one entry for each thing, and where each entry was written."""

    content: dict[str, Any]
    mistakes: list[tuple[Location, str]] = field(default_factory=list)
    """By where they were written."""
    written: dict[tuple[str, int], int] = field(default_factory=dict)
    """The index of an entry as the file has it."""
    own_keys: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    """What the file says in the entry itself: all other keys are of `defaults`."""

    def origin(self, location: Location) -> Location:
        """Where the file says what stands at a location of the expanded content."""
        match location:
            case (str(section), int(index), *rest) if (section, index) in self.written:
                shared = mapping(mapping(self.content, "defaults"), section)
                if rest and rest[0] not in self.own_keys[section, index] and rest[0] in shared:
                    return ("defaults", section, *rest)
                return (section, self.written[section, index], *rest)
        return location


def expanded(raw: Mapping[str, Any]) -> Expanded:
    """The content of a file without ranges and with its defaults in each entry; `defaults` itself stays."""
    found = Expanded(dict(raw))
    for section in dict.fromkeys((*COUNTED, *SHARED)):
        if isinstance(raw.get(section), list):
            _expand(section, raw, found)
    return found


def _expand(section: str, raw: Mapping[str, Any], found: Expanded) -> None:
    shared = mapping(mapping(raw, "defaults"), section) if section in SHARED else {}
    well_formed = dict(entries(raw, section))
    made: list[Any] = []
    is_full = False
    for index, entry in enumerate(raw[section]):
        if index not in well_formed:
            made.append(entry)
            continue
        counted = COUNTED.get(section)
        is_range = RANGE.search(text(entry, counted or "") or "") is not None
        try:
            if section == "guests" and each_host.KEY in entry:
                several = _for_each_host({**shared, **entry}, found)
            else:
                several = _several({**shared, **entry}, counted) if not (is_full and is_range) else []
            is_full = is_full or len(made) + len(several) > LIMIT + len(raw[section])
            if is_full and is_range:
                raise _RangeError(counted or "name", f"{section} stand for more than {LIMIT} together")
        except _RangeError as error:
            found.mistakes.append((_place(section, index, error.key, entry), str(error)))
            several = [] if each_host.KEY in entry else [_without_ranges({**shared, **entry})]
        for each in several:
            found.written[section, len(made)] = index
            found.own_keys[section, len(made)] = frozenset(entry)
            made.append(each)
    found.content[section] = made


def _for_each_host(entry: dict[str, Any], found: Expanded) -> list[dict[str, Any]]:
    """Hosts come before guests: they are there one by one."""
    try:
        several = each_host.instances(entry, found.content)
    except each_host.EachHostError as error:
        raise _RangeError(error.key, str(error)) from error
    if len(several) > LIMIT:
        raise _RangeError(each_host.KEY, f"stands for more than {LIMIT}")
    return several


def _without_ranges(entry: Mapping[str, Any]) -> dict[str, Any]:
    """So that a range that cannot be used is told once, and not as a name of strange characters, too."""
    return {key: RANGE.sub(r"\1-\2", value) if isinstance(value, str) else value for key, value in entry.items()}


def _place(section: str, index: int, key: str, entry: Mapping[str, Any]) -> Location:
    return (section, index, key) if key in entry else ("defaults", section, key)


class _RangeError(ValueError):
    """A range that cannot be used; `key` has it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


def _several(entry: dict[str, Any], counted: str | None) -> list[dict[str, Any]]:
    """What one entry stands for: itself, if it has no range."""
    if counted is None or text(entry, counted) is None:
        return [entry]
    lists = {key: _members(key, value) for key, value in entry.items() if isinstance(value, str)}
    many = {key: members for key, members in lists.items() if members is not None}
    if counted not in many:
        for key in many:
            raise _RangeError(key, f"is a range, and {counted} is one: write the {counted} as a range, too")
        return [entry]
    count = len(many[counted])
    for key, members in many.items():
        if len(members) != count:
            raise _RangeError(key, f"stands for {len(members)}, and {counted} for {count}")
    address = text(entry, "address")
    if address is not None and "address" not in many and count > 1:
        raise _RangeError("address", f"is one address for {count} hosts: write a range, as 192.0.2.[21:32]")
    return [{**entry, **{key: members[number] for key, members in many.items()}} for number in range(count)]


def _members(key: str, value: str) -> list[str] | None:
    """What a text stands for; None for itself."""
    if RANGE.search(value) and not value.isspace() and " " not in value:
        return ranged(value, key)
    return _addresses(key, value) if key == "address" and "-" in value else None


def ranged(value: str, key: str = "") -> list[str]:
    """Every text that a text with ranges stands for, the last range counting fastest.

    Raises:
        ValueError: a range that ends before it starts, of two kinds of letters, or of too many.
    """
    parts = RANGE.split(value)  # text, start, end, step, text, …
    ranges = [_count(parts[at], parts[at + 1], parts[at + 2], key) for at in range(1, len(parts), 4)]
    total = 1
    for each in ranges:
        total *= len(each)
        if total > LIMIT:
            raise _RangeError(key, f"stands for more than {LIMIT}")
    texts = parts[0::4]
    return ["".join(_woven(texts, chosen)) for chosen in itertools.product(*ranges)]


def _woven(texts: list[str], chosen: tuple[str, ...]) -> Iterator[str]:
    for before, each in zip(texts, chosen, strict=False):
        yield before
        yield each
    yield texts[-1]


def _count(start: str, end: str, step: str | None, key: str) -> list[str]:
    by = int(step or 1)
    shown = f"[{start}:{end}{f':{step}' if step else ''}]"
    if by == 0:
        raise _RangeError(key, f"{shown} has a step of 0")
    if start.isdigit() != end.isdigit() or start.islower() != end.islower():
        raise _RangeError(key, f"{shown} goes from one kind of character to another")
    if start.isdigit():
        if len(start) > 1 and start.startswith("0") and len(start) != len(end):
            raise _RangeError(key, f"{shown}: with a zero in front both ends have as many digits")
        width = len(start) if start.startswith("0") else 0
        counted = [f"{number:0{width}d}" for number in range(int(start), int(end) + 1, by)]
    else:
        counted = [chr(number) for number in range(ord(start), ord(end) + 1, by)]
    if not counted:
        raise _RangeError(key, f"{shown} ends before it starts")
    return counted


def _addresses(key: str, value: str) -> list[str] | None:
    """`192.0.2.250-192.0.3.5`, also of IPv6; None for a name that has a hyphen."""
    first, _, last = value.partition("-")
    try:
        start, end = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
    except ValueError:
        return None
    if start.version != end.version or int(end) < int(start):
        raise _RangeError(key, f"{value} ends before it starts")
    count = int(end) - int(start) + 1
    if count > LIMIT:
        raise _RangeError(key, f"stands for more than {LIMIT}")
    return [str(start + number) for number in range(count)]
