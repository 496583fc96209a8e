"""What a run found around the cards: kernels, drivers, firmware, releases. What differs between two runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reports.run import Run

Surroundings = Mapping[tuple[str, str], str]
"""By place ("" for the cloud) and name."""
CLOUD_NAMES = ("release", "cuda", "cuda_packages")
PLACES_SHOWN = 3


@dataclass(frozen=True)
class Difference:
    """One thing that is another one since, at one or more places."""

    name: str
    before: str
    """"" where it was not there."""
    after: str
    places: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(place for place in self.places[:PLACES_SHOWN] if place)
        more = f" and {len(self.places) - PLACES_SHOWN} more" if len(self.places) > PLACES_SHOWN else ""
        where = f" on {shown}{more}" if shown else ""
        return f"{self.name} {self.before or '(none)'} → {self.after or '(none)'}{where}"


def surroundings_of(run: Run) -> Surroundings:
    """All that is known around a run's figures."""
    return {(place, name): value for place, name, value in _entries(run) if value}


def _entries(run: Run) -> Iterator[tuple[str, str, str]]:
    yield "", "suite", run.header.suite_version
    for name in CLOUD_NAMES:
        value = run.header.environment.get(name)
        yield "", name, ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    for host in run.hosts:
        for name, value in host.facts.items():
            yield host.host, name, str(value)
        yield host.host, "vbios", ", ".join(sorted({card.vbios for card in host.cards if card.vbios}))
        if host.host in run.header.declared_hosts:  # a guest may get other cards every night
            for card in host.cards:
                yield host.host, f"card {card.index}", card.uuid or card.serial
    for uuid, located in sorted(run.located_cards.items()):
        yield uuid, "stands in", located.place


def differences(before: Surroundings, after: Surroundings) -> list[Difference]:
    """What changed; a place that only one of them reached says nothing. The same change of many places is one."""
    known = {place for place, _ in before} & {place for place, _ in after}
    places: dict[tuple[str, str, str], list[str]] = {}
    for place, name in sorted({*before, *after}):
        old, new = before.get((place, name), ""), after.get((place, name), "")
        if place in known and old != new:
            places.setdefault((name, old, new), []).append(place)
    return [Difference(name, old, new, tuple(found)) for (name, old, new), found in places.items()]
