"""A picture of the machines, their GPUs and the links between them, with what was measured on each link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from judging.outcome import WORST_FIRST
from judging.records import Verdict
from probes.card_identity import CardIdentity
from reports.page.stack import worst_by_place
from reports.page.text import natural, number
from reports.records import HostFacts
from reports.run import Run
from reports.tables import DeviceFigure

MOST_DRAWN = 8
MOST_CARDS_DRAWN = 8
MOST_PAIRS_DRAWN = 28
TOP, CARD_TOP, ARC_TOP = 34, 104, 152
LEAST_WIDTH = 240
MOST_WIDE_CARDS = 3


@dataclass(frozen=True)
class Link:
    """A line of the picture, from machine to card or from card to card; coordinates in pixels."""

    path: str
    label: str
    x: float
    y: float
    state: str
    """ok, bad, or unknown where nothing was measured"""
    title: str


@dataclass(frozen=True)
class DrawnCard:
    """One GPU."""

    x: float
    width: int
    name: str
    detail: str
    state: str


@dataclass(frozen=True)
class Machine:
    """One machine and what hangs on it."""

    name: str
    role: str
    verdict: str
    """The worst verdict there; "" where nothing was checked"""
    cards: tuple[DrawnCard, ...]
    links: tuple[Link, ...]
    hidden_cards: int
    servers: tuple[str, ...]
    """Of an instance: where each of its cards stands, e.g. GPU 0: compute-7, slot 3, 0000:84:00.0"""
    width: int
    height: int


@dataclass(frozen=True)
class Tile:
    """One machine of the overview."""

    name: str
    verdict: str
    cards: tuple[str, ...]
    """The state of each card"""


@dataclass(frozen=True)
class Picture:
    """All machines as tiles, the worst of them drawn."""

    machines: tuple[Machine, ...]
    tiles: tuple[Tile, ...]
    hidden: int


def picture_of(run: Run, devices: Sequence[DeviceFigure]) -> Picture:
    """The declared hosts and guests, and whatever else has cards."""
    worst = worst_by_place(run.checks)
    facts = {host.host: host for host in run.hosts}
    figures = _figures_by_host(devices)
    counts = {**run.header.declared_hosts, **run.header.declared_guests}
    names = counts.keys() | {host.host for host in run.hosts if host.cards} | figures.keys()
    places = _places(run)
    known = {
        name: [
            replace(card, server=places.get((name, card.device)))
            for card in _cards(facts.get(name), counts.get(name, 0), figures.get(name, []))
        ]
        for name in names
    }
    ordered = sorted(names, key=lambda name: (_rank(worst.get(name)), _group(run, name), natural(name)))
    drawn = ordered[:MOST_DRAWN]
    tiles = tuple(
        Tile(
            name,
            _verdict(worst, name),
            tuple(_card_state(card, figures.get(name, [])) for card in known[name]),
        )
        for name in ordered
    )
    machines = tuple(_machine(run, name, _verdict(worst, name), known[name], figures.get(name, [])) for name in drawn)
    return Picture(
        tuple(sorted(machines, key=lambda m: (_group(run, m.name), natural(m.name)))), tiles, len(names) - len(drawn)
    )


def _rank(verdict: Verdict | None) -> int:
    return WORST_FIRST.index(verdict) if verdict is not None else len(WORST_FIRST)


def _verdict(worst: Mapping[str, Verdict], name: str) -> str:
    return worst[name].value if name in worst else ""


def _group(run: Run, name: str) -> int:
    return 0 if name in run.header.declared_hosts else 1 if name in run.header.declared_guests else 2


def _role(run: Run, name: str) -> str:
    return ("GPU host", "instance", "machine")[_group(run, name)]


def _places(run: Run) -> dict[tuple[str, str], CardIdentity]:
    """The card's place in its server by instance and device."""
    return {
        (card.instance, card.device): card
        for check in run.checks
        for card in check.cards
        if card.instance not in ("", card.host) and card.is_located
    }


def _figures_by_host(devices: Iterable[DeviceFigure]) -> dict[str, list[DeviceFigure]]:
    found: dict[str, list[DeviceFigure]] = {}
    for device in devices:
        found.setdefault(device.host, []).append(device)
    return found


@dataclass(frozen=True)
class Card:
    """What is known of one GPU before anything was measured."""

    device: str
    detail: str
    """Its address on the bus, or how it is known"""
    link: str = ""
    """Width of its PCI link, e.g. x16; "" where it was not read"""
    link_is_narrow: bool = False
    server: CardIdentity | None = None
    """Where a card of an instance stands"""


def _cards(facts: HostFacts | None, declared: int, figures: Sequence[DeviceFigure]) -> list[Card]:
    """The cards that the driver shows, else those on the bus, else as many as are measured or declared."""
    links = _links(facts.facts) if facts is not None else []
    if facts is not None and facts.cards:
        by_address = {card.detail: card for card in links}
        shown = [(card, by_address.get(_bus_address(card.pci_address))) for card in facts.cards]
        return [
            Card(
                card.index,
                _bus_address(card.pci_address),
                on_bus.link if on_bus else "",
                bool(on_bus and on_bus.link_is_narrow),
            )
            for card, on_bus in shown
        ]
    if links:
        return links
    measured = {figure.device for figure in figures if figure.device.isdigit()}
    known = measured or {str(index) for index in range(min(declared, 64))}
    return [Card(device, "" if measured else "declared") for device in sorted(known, key=natural)]


def _links(facts: Mapping[str, str]) -> list[Card]:
    """Facts such as "link 0000:04:00.0": "x8 of x16"."""
    found = sorted(name for name in facts if name.startswith("link "))
    cards = []
    for index, name in enumerate(found):
        width, _, most = facts[name].partition(" of ")
        cards.append(Card(str(index), _bus_address(name.removeprefix("link ")), width, bool(most) and width != most))
    return cards


def _bus_address(address: str) -> str:
    """Without the domain, in which all cards of most servers are: 04:00.0."""
    return address.lower().split(":", 1)[-1] if address.count(":") == 2 else address


def _card_state(card: Card, figures: Sequence[DeviceFigure]) -> str:
    own = [figure.in_band for figure in figures if card.device in figure.device.split("-")]
    if card.link_is_narrow or not all(own):
        return "bad"
    return "ok" if own or card.link else "unknown"


def _machine(run: Run, name: str, verdict: str, known: Sequence[Card], figures: Sequence[DeviceFigure]) -> Machine:
    shown = known[:MOST_CARDS_DRAWN]
    card_width, gap = (70, 12) if len(shown) <= MOST_WIDE_CARDS else (60, 8)
    width = max(LEAST_WIDTH, len(shown) * (card_width + gap) + gap)
    left = (width - len(shown) * (card_width + gap) + gap) / 2
    places = {card.device: left + card_width / 2 + index * (card_width + gap) for index, card in enumerate(shown)}
    cards = tuple(
        DrawnCard(
            places[card.device] - card_width / 2,
            card_width,
            f"GPU {card.device}",
            card.detail,
            _card_state(card, figures),
        )
        for card in shown
    )
    pairs = _pair_links(places, figures)
    links = tuple(_bus_link(card, places[card.device], width, figures) for card in shown) + pairs
    servers = tuple(f"GPU {card.device}: {card.server.place}" for card in shown if card.server is not None)
    height = ARC_TOP + (max(24, min(90, 20 * (len(shown) - 1))) + 22 if pairs else 10)
    return Machine(name, _role(run, name), verdict, cards, links, len(known) - len(shown), servers, width, height)


def _bus_link(card: Card, x: float, width: int, figures: Sequence[DeviceFigure]) -> Link:
    """Between the machine and a card: what copies to and from it reached, else how wide the link is."""
    copies = [
        figure
        for figure in figures
        if figure.device == card.device and figure.metric in ("bandwidth.h2d", "bandwidth.d2h")
    ]
    start = width / 2 + (x - width / 2) * 0.35
    values = [figure.median for figure in copies]
    is_bad = card.link_is_narrow or not all(figure.in_band for figure in copies)
    titles = [f"{figure.metric} {number(figure.median)} {figure.unit}" for figure in copies]
    titles += [f"PCI Express {card.link}"] if card.link else []
    return Link(
        path=f"M{start:.1f} {TOP}C{start:.1f} {TOP + 40} {x:.1f} {CARD_TOP - 40} {x:.1f} {CARD_TOP}",
        label=number(min(values)) if values else card.link,
        x=x,
        y=CARD_TOP - 8,
        state="bad" if is_bad else "ok" if titles else "unknown",
        title=", ".join(titles) or "nothing was measured on this link",
    )


def _pair_links(places: Mapping[str, float], figures: Sequence[DeviceFigure]) -> tuple[Link, ...]:
    """Between two cards: the slower direction."""
    found: dict[tuple[str, str], list[DeviceFigure]] = {}
    for figure in figures:
        one, dash, other = figure.device.partition("-")
        if dash and figure.metric.startswith("bandwidth") and one in places and other in places:
            first, second = sorted((one, other), key=natural)
            found.setdefault((first, second), []).append(figure)
    ordered = sorted(found, key=lambda pair: (all(figure.in_band for figure in found[pair]), natural("-".join(pair))))
    return tuple(
        _pair_link(places[pair[0]], places[pair[1]], found[pair], with_label=len(found) <= 3)
        for pair in ordered[:MOST_PAIRS_DRAWN]
    )


def _pair_link(one: float, other: float, figures: Sequence[DeviceFigure], *, with_label: bool) -> Link:
    start, end = one, other
    depth = min(110.0, 20 + abs(end - start) * 0.16)
    worst = min(figures, key=lambda figure: figure.median)
    value = number(worst.median)
    state = "ok" if all(figure.in_band for figure in figures) else "bad"
    path = (
        f"M{start:.1f} {ARC_TOP}C{start:.1f} {ARC_TOP + depth:.1f} {end:.1f} {ARC_TOP + depth:.1f} {end:.1f} {ARC_TOP}"
    )
    title = f"{worst.device}: {worst.metric} {value} {worst.unit}"
    return Link(path, value if with_label else "", (start + end) / 2, ARC_TOP + depth * 0.75 + 14, state, title)
