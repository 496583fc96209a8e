"""What is certified: servers, cards and software, by the names that identify them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from judging.layers import layer_of
from judging.records import CheckRecord
from probes.card_identity import CardIdentity
from reports.history.loading import figures_of
from reports.records import HostFacts
from reports.run import Run

LOADING = "cuda"
"""Layer whose checks put work on cards"""
HOW_LONG = "load."
"""How the metrics begin that say how long a load ran on a card, in seconds"""
SERVER_FACTS = ("sys_vendor", "product_name", "bios_version")


def servers(run: Run) -> list[dict[str, Any]]:
    """GPU hosts by name; what is not known is empty."""
    facts = {host.host: host for host in run.hosts}
    empty = dict.fromkeys((*SERVER_FACTS, "bios_date", "kernel", "product_serial", "bmc_version"), "")
    return [
        {"host": name, "cards": count, **empty, **(facts[name].facts if name in facts else {})}
        for name, count in sorted(run.header.declared_hosts.items())
    ]


def cards(run: Run) -> list[dict[str, Any]]:
    """Every card that a driver showed, once, with all places where it was seen."""
    found: dict[str, dict[str, Any]] = {}
    places = run.located_cards
    for host in run.hosts:
        for card in host.cards:
            identity = card.uuid or card.serial or f"{host.host} card {card.index}"
            entry = found.setdefault(
                identity,
                {
                    "uuid": card.uuid,
                    "serial": card.serial,
                    "name": card.name,
                    "vbios": card.vbios,
                    "ecc": card.ecc,
                    "seen": [],
                    **_place(places.get(card.uuid)),
                },
            )
            entry["seen"].append({"host": host.host, "index": card.index, "pci_address": card.pci_address})
    return [found[identity] for identity in sorted(found)]


def _place(card: CardIdentity | None) -> dict[str, str]:
    """Where the card stands in the server; empty where it is not known."""
    known = (card.host, card.slot, card.host_address) if card else ("", "", "")
    return dict(zip(("server", "slot", "server_address"), known, strict=True))


@dataclass(frozen=True)
class Load:
    """Work that cards were given, and for how long."""

    check: str
    fact: str
    machine: str
    started: str
    """ISO 8601, UTC"""
    seconds: float
    verdict: str


@dataclass(frozen=True)
class ServerPage:
    """All that the certificate says of one server."""

    facts: dict[str, Any]
    cards: tuple[dict[str, Any], ...]
    machines: tuple[HostFacts, ...]
    """The server itself and the instances that had its cards"""
    loads: tuple[Load, ...]

    @property
    def names(self) -> frozenset[str]:
        """Machines under which its cards were measured."""
        return frozenset({self.facts["host"], *(machine.host for machine in self.machines)})


def loads(run: Run) -> list[Load]:
    """Checks that put work on cards, in order of time."""
    found = [check for check in run.checks if layer_of(check.id).name == LOADING or check.measurements]
    return [
        load
        for check in sorted(found, key=lambda check: (check.started, check.id, check.place))
        for load in _loads_of(check)
    ]


def _loads_of(check: CheckRecord) -> list[Load]:
    """How long each load ran on each card where the check says so; else the check itself is the load."""
    verdict = str(check.verdict)
    told = [
        Load(f"{check.id}, {item.source}", f"device {item.device}", check.place, check.started, item.value, verdict)
        for item in check.measurements
        if item.metric.startswith(HOW_LONG)
    ]
    return told or [Load(check.id, check.fact, check.place, check.started, check.duration_s, verdict)]


def server_pages(run: Run) -> list[ServerPage]:
    """One for each declared server; a card whose server is not known stands with none."""
    known, all_cards, all_loads = {host.host: host for host in run.hosts}, cards(run), loads(run)
    pages = []
    for server in servers(run):
        name = server["host"]
        mine = [card for card in all_cards if _stands_in(card, name)]
        names = sorted({name, *(seen["host"] for card in mine for seen in card["seen"])})
        machines = tuple(known[machine] for machine in names if machine in known)
        pages.append(
            ServerPage(server, tuple(mine), machines, tuple(load for load in all_loads if load.machine in names))
        )
    return pages


def _stands_in(card: Mapping[str, Any], server: str) -> bool:
    return card["server"] == server or any(seen["host"] == server for seen in card["seen"])


def software(run: Run) -> dict[str, Any]:
    """Releases and versions; drivers and kernels of all machines."""
    environment = run.header.environment
    names = ("driver", "kernel", "system")
    return {
        "suite": run.header.suite_version,
        "suite_commit": run.header.suite_commit,
        **{name: environment[name] for name in ("release", "cuda", "cuda_packages") if environment.get(name)},
        **{f"{name}s": sorted({host.facts[name] for host in run.hosts if host.facts.get(name)}) for name in names},
    }


def subject_of(run: Run) -> dict[str, Any]:
    """All of it."""
    return {
        "cloud": run.header.cloud,
        "run": run.header.id,
        "servers": servers(run),
        "cards": cards(run),
        "software": software(run),
    }


def unknown_servers(run: Run) -> list[str]:
    """GPU hosts that are not identified, and what is missing."""
    missing = {entry["host"]: [name for name in SERVER_FACTS if not entry.get(name)] for entry in servers(run)}
    found = [f"{host}: {', '.join(names)} not known" for host, names in missing.items() if names]
    return found if missing else ["the cloud file declares no GPU host"]


def unknown_cards(run: Run) -> list[str]:
    """Measured cards without serial and UUID."""
    figures = figures_of(run)
    unknown = sorted({f"{f['host']} card {f['device']}: neither serial nor UUID" for f in figures if not f["card"]})
    return unknown if figures else ["no card was measured"]


def uncovered_cards(run: Run) -> list[str]:
    """Declared cards that were not measured; an excuse of the cloud file is named and does not make them measured."""
    coverage = run.coverage
    found = [
        f"{host.host}: {len(host.measured)} of {host.declared} cards were measured" for host in coverage.incomplete
    ]
    return found + [f"the cloud file excuses them: {excuse.reason}" for excuse in coverage.excused if found]
