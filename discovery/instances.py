"""Instances that together have every free card but one, and the flavors that they need."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from discovery.matching import Found
from probes import alias_request
from probes.openstack.nova import FlavorFacts

PREFIX = "gpuacc"
SMALL = {"vcpus": 8, "memory_mb": 16384}
"""An instance with one card, where nothing tells how large a host is."""
DISK_GB = 40
OURS = re.compile(rf"^{PREFIX}[0-9]*-")
UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")
"""What names of a cloud file do not have."""


@dataclass
class Instances:
    """Instances that together have every card that is free but one, and the flavors that they need."""

    hosts: Sequence[tuple[Found, Mapping[str, int]]]
    models: Mapping[str, str]
    aliases: Mapping[str, str]
    existing: Sequence[FlavorFacts]
    free: Mapping[str, int]
    copied: set[str] = field(default_factory=set)

    def plan(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Flavors, guests, and the cards that are left out with the reason."""
        wanted: list[tuple[str, int]] = []  # model and cards of each instance
        excused: list[dict[str, Any]] = []
        by_size = sorted(self._hosts(), key=lambda each: -each[2])
        spare = _spare(by_size)
        for name, model, count, free in by_size:
            if free < count:
                excused.append({"host": name, "cards": count - free, "reason": "in use by instances of others"})
            usable = free - 1 if (name, model) == spare else free
            wanted += [(model, count)] if usable == count else [(model, 1)] * usable
        if spare:
            reason = "one card stays free for the suites that make and move instances of their own"
            excused.append({"cards": 1, "reason": reason})
        # instances that need a whole host come first, else small ones take a card of each host
        kinds = sorted(Counter(wanted).items(), key=lambda each: (-each[0][1], each[0][0]))
        flavors, guests = [], []
        for (model, count), number in kinds:
            flavor = self._flavor(model, count)
            flavors.append(flavor)
            name = "one-card" if count == 1 else f"{count}-cards"
            if len({model for (model, _), _ in kinds}) > 1:
                name = f"{next(iter(flavor['aliases']))}-{name}"
            digits = len(str(number))
            name += f"-[{1:0{digits}d}:{number}]" if number > 1 else ""
            guests.append({"name": name, "flavor": flavor["name"]})
        return flavors, guests, excused

    def _hosts(self) -> Iterator[tuple[str, str, int, int]]:
        """Name, model, cards and free ones, for each kind of cards of a host that has an alias."""
        known = set(self.aliases.values())
        for host, cards in self.hosts:
            used = sum(cards.values()) - self.free[host.name]
            for product_id, count in cards.items():
                taken, model = min(count, used), self.models[product_id]
                used -= taken
                if model in known:
                    yield host.name, model, count, count - taken

    def _flavor(self, model: str, count: int) -> dict[str, Any]:
        alias = next(name for name, gpu in self.aliases.items() if gpu == model)
        for flavor in self.existing:
            asked = alias_request.of_flavor(flavor.extra_specs)
            if sum(asked.values()) == count and all(self.aliases[name] == model for name in asked) and flavor.disk_gb:
                return self._copy(flavor, asked)
        size = {key: value * count for key, value in SMALL.items()}
        return {"name": f"{alias}.{count}", **size, "disk_gb": DISK_GB, "aliases": {alias: count}}

    def _copy(self, flavor: FlavorFacts, asked: Mapping[str, int]) -> dict[str, Any]:
        name = UNUSUAL.sub("-", OURS.sub("", flavor.name)).lstrip("-._")[:60]
        self.copied.add(name)
        specs = {key: value for key, value in flavor.extra_specs.items() if key != alias_request.ALIAS}
        found = {"name": name, "vcpus": flavor.vcpus, "memory_mb": flavor.ram_mb, "disk_gb": flavor.disk_gb}
        return {**found, "aliases": dict(asked), **({"extra_specs": specs} if specs else {})}


def _spare(hosts: Sequence[tuple[str, str, int, int]]) -> tuple[str, str] | None:
    """The host that keeps a card free: a small one of which nobody uses a card; None where there is but one card."""
    whole = [(name, model) for name, model, count, free in hosts if free == count]
    return whole[-1] if whole and sum(free for *_, free in hosts) > 1 else None
