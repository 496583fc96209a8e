"""Which of the declared cards were measured: of every host all of them, or the cloud file says why not.

One function for the end of a run, its page and its certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from judging.records import CheckRecord
from probes.card_identity import CardIdentity


@dataclass(frozen=True)
class ExcusedCards:
    """Cards that a run need not measure."""

    cards: int
    """At most so many."""
    reason: str
    host: str = ""
    """Only of this host; "" is any."""


@dataclass(frozen=True)
class HostCoverage:
    """The cards of one host."""

    host: str
    declared: int
    measured: tuple[str, ...]
    """PCI addresses there."""
    seen: tuple[str, ...]
    """PCI addresses of the cards that the host has and that were not measured, as far as they were seen."""

    @property
    def missing(self) -> int:
        """Declared and not measured here, as far as it is known where cards were measured."""
        return max(0, self.declared - len(self.measured))


@dataclass(frozen=True)
class Coverage:
    """The cards of all declared hosts."""

    hosts: tuple[HostCoverage, ...]
    unlocated: int
    """Cards that were measured in an instance whose place could not be seen."""
    excused: tuple[ExcusedCards, ...]

    @property
    def declared(self) -> int:
        """Cards of all hosts."""
        return sum(host.declared for host in self.hosts)

    @property
    def missing(self) -> int:
        """Cards that nothing was measured of."""
        return max(0, sum(host.missing for host in self.hosts) - self.unlocated)

    @property
    def measured(self) -> int:
        """Declared cards with figures."""
        return self.declared - self.missing

    @property
    def unexcused(self) -> int:
        """Missing beyond what the cloud file excuses."""
        of_hosts = {host.host: self._excused_at(host.host) for host in self.hosts}
        left = sum(max(0, host.missing - of_hosts[host.host]) for host in self.hosts) - self.unlocated
        return max(0, left - self._excused_at(""))

    def _excused_at(self, host: str) -> int:
        return sum(excuse.cards for excuse in self.excused if excuse.host == host)

    @property
    def incomplete(self) -> tuple[HostCoverage, ...]:
        """Hosts that lack figures of a card."""
        return tuple(host for host in self.hosts if host.missing) if self.missing else ()


def coverage_of(
    records: Sequence[CheckRecord], declared: Mapping[str, int], excused: Iterable[ExcusedCards] = ()
) -> Coverage:
    """Declared cards (by host) against those with a figure."""
    measured = _measured(records)
    by_host: dict[str, set[str]] = {host: set() for host in declared}
    unlocated = 0
    for card in measured:
        if card.is_located and card.host in by_host:
            by_host[card.host].add(card.host_address)
        else:
            unlocated += 1
    seen: dict[str, set[str]] = {}
    for record in records:
        for card in record.cards:
            seen.setdefault(card.host, set()).add(card.host_address)
    hosts = tuple(
        HostCoverage(
            host,
            declared[host],
            tuple(sorted(by_host[host])),
            tuple(sorted(seen.get(host, set()) - by_host[host] - {""})),
        )
        for host in sorted(declared)
    )
    return Coverage(hosts, unlocated, tuple(excused))


def _measured(records: Iterable[CheckRecord]) -> set[CardIdentity]:
    """The card of every figure of a single device; one whose identity is not known counts by its instance."""
    found: dict[tuple[str, str], CardIdentity] = {}
    for record in records:
        known = {(card.instance or card.host, card.device): card for card in record.cards}
        for figure in record.measurements:
            key = (figure.host, figure.device)
            if figure.device.isdigit():
                card = known.get(key) or found.get(key)
                found[key] = card or CardIdentity("", "", instance=figure.host, device=figure.device)
    return set(found.values())
