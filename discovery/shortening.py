"""Many hosts on one line: names and addresses that only count up become ranges, as cloud files take them."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloud_file.ranges import expanded

NUMBER = re.compile(r"[0-9]{1,6}")
RANGED = ("name", "address")


def shortened(hosts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same hosts with a range for each row of neighbours that differ in nothing but a number."""
    made: list[dict[str, Any]] = []
    for group in _rows(hosts):
        short = _one_entry(group) if len(group) > 1 else None
        made += [short] if short is not None else [dict(host) for host in group]
    return made


def _rows(hosts: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Neighbours that an entry can stand for, as many as go together."""
    row: list[Mapping[str, Any]] = []
    for host in hosts:
        if row and _one_entry([*row, host]) is None:
            yield row
            row = []
        row.append(host)
    if row:
        yield row


def _one_entry(hosts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """One entry that is read as exactly these hosts; None if there is none."""
    first = hosts[0]
    same = [{key: value for key, value in host.items() if key not in RANGED} for host in hosts]
    if any(each != same[0] for each in same):
        return None
    ranges = {}
    for key in RANGED:
        values = [host.get(key) for host in hosts]
        if all(value is None for value in values):
            continue
        if not all(isinstance(value, str) for value in values):
            return None
        ranges[key] = _range([str(value) for value in values])
        if ranges[key] is None:
            return None
    entry = {key: ranges.get(key, first[key]) for key in first}
    # what is written is what will be read: the reader itself has the last word
    return entry if expanded({"hosts": [entry]}).content["hosts"] == [dict(host) for host in hosts] else None


def _range(values: Sequence[str]) -> str | None:
    """A text that stands for all of these in their order; None if they do not count up by one in one place."""
    spots = [(match.start(), match.end()) for match in NUMBER.finditer(values[0])]
    for start, end in reversed(spots):
        before, after = values[0][:start], values[0][end:]
        inside = [value[len(before) : len(value) - len(after)] for value in values]
        fits = all(value.startswith(before) and value.endswith(after) for value in values)
        if fits and all(text.isdigit() for text in inside) and _counts_up([int(text) for text in inside]):
            return f"{before}[{inside[0]}:{inside[-1]}]{after}"
    return _address_range(values)


def _address_range(values: Sequence[str]) -> str | None:
    try:
        numbers = [int(ipaddress.ip_address(value)) for value in values]
    except ValueError:
        return None
    return f"{values[0]}-{values[-1]}" if _counts_up(numbers) else None


def _counts_up(numbers: Sequence[int]) -> bool:
    return all(later == earlier + 1 for earlier, later in itertools.pairwise(numbers))
