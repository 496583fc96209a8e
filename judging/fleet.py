"""Cards of one model against each other: the odd one out of N equal ones, how sure that is, and other firmware."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from access.errors import ParseError, ToolFailure
from judging import load as load_judgement
from judging.finding import Finding
from judging.robust import resolution_of, scale_of, t_tail
from probes.load.loaded import Loaded
from probes.nvidia_smi.gpu import Gpu

LEAST_CARDS = 4
"""Of fewer nobody can tell which one is odd: of three, two may be."""
LEAST_NOISE = 0.01
"""Equal cards of one batch differ by a per cent and more of their clocks; less is no scale to measure others by."""
LEAST_DEGREES = 2.5
"""The same of temperatures, by the places of cards in their server."""
FREEDOM_OF_KNOWN = 8.0
"""How far that is trusted, as degrees of freedom of Student's t; more would call rare bad luck a fault."""
EFFICIENCY = 0.37
"""Of the median absolute deviation: so much of each card's figure counts for the noise that was measured."""
LEAST_DIFFERENCE = {"compute": 0.07, "copies": 0.10, "clock": 0.07}
"""What an odd card must lack of the median, besides being surely odd: silicon of one model differs by some per cent."""
LEAST_DEGREES_HOTTER = 12.0
"""Cards at the end of a row of fans are warmer than those at its beginning."""
SURE = 0.999
"""That it is odd, all comparisons of the run counted."""
FIRMWARE: Mapping[str, tuple[str, ...]] = {
    "VBIOS": ("VBIOS Version",),
    "InfoROM image": ("Inforom Version/Image Version",),
    "GSP firmware": ("GSP Firmware Version",),
}
"""What is compared of one board part, with its paths in nvidia-smi -q."""


@dataclass(frozen=True)
class FleetCard:
    """One card among its siblings."""

    machine: str
    device: int
    kind: tuple[str, ...]
    """Name and board part: cards of one kind are equal."""
    driver: str
    digest: str = ""
    """Of its first product; "" where our program did not run."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """compute, copies, clock (more is better), temperature (less is better)."""
    firmware: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Where people find it."""
        return f"device {self.device} of {self.machine}"


@dataclass(frozen=True)
class Odd:
    """One figure of one card that its siblings do not have."""

    card: FleetCard
    what: str
    value: float
    usual: float
    """Median of all of them."""
    cards: int
    confidence: float
    """That it is odd, all comparisons counted."""

    def __str__(self) -> str:
        """E.g. "compute of device 0 of one-card: 5123.0, its 7 siblings have 9100.0 in the median (99.99 % sure)"."""
        return (
            f"{self.what} of {self.card.name}: {self.value:.1f}, the median of {self.cards} equal cards is "
            f"{self.usual:.1f} ({100 * self.confidence:.2f} % sure)"
        )


def cards_of(machines: Iterable[Loaded]) -> list[FleetCard]:
    """All cards of machines that were loaded; what cannot be read of one machine is that machine's matter."""
    found = []
    for machine in machines:
        if not (machine.missing or machine.lost):
            with suppress(ParseError):
                found += _of_machine(machine)
    return found


def _of_machine(machine: Loaded) -> list[FleetCard]:
    checks = {card.device: card for card in machine.checks}
    copies = {card.device: card for card in machine.alone}
    heat, clock = load_judgement.hottest(machine), load_judgement.clocks(machine)
    found = []
    for device, gpu in enumerate(machine.before.gpus):
        figures: dict[str, float | None] = {
            "compute": checks[device].gflop_per_s if device in checks else None,
            "copies": copies[device].h2d_gb_per_s if device in copies else None,
            "clock": clock.get(gpu.address),
            "temperature": heat.get(gpu.address),
        }
        found.append(
            FleetCard(
                machine.name,
                device,
                (_text(gpu, "Product Name"), _text(gpu, "Board Part Number", "GPU Part Number")),
                machine.before.driver_version,
                checks[device].digest if device in checks else "",
                {name: value for name, value in figures.items() if value is not None},
                {name: text for name, paths in FIRMWARE.items() if (text := _text(gpu, *paths))},
            )
        )
    return found


def _text(gpu: Gpu, *paths: str) -> str:
    try:
        return gpu.text(*paths) or ""
    except ToolFailure:
        return ""


def odd_ones(cards: Sequence[FleetCard]) -> list[Odd]:
    """Cards that are surely worse in a figure than all equal ones, by the distance from their median."""
    kinds = sorted({card.kind for card in cards})
    names = [*LEAST_DIFFERENCE, "temperature"]
    groups = [
        (name, group)
        for kind in kinds
        for name in names
        if len(group := [card for card in cards if card.kind == kind and name in card.figures]) >= LEAST_CARDS
    ]
    comparisons = sum(len(group) for _, group in groups)
    return [odd for name, group in groups for odd in _odd_in(name, group, comparisons)]


def _odd_in(name: str, group: Sequence[FleetCard], comparisons: int) -> list[Odd]:
    values = [card.figures[name] for card in group]
    usual = statistics.median(values)
    noise = scale_of([value - usual for value in values], resolution_of(values))
    known = LEAST_DEGREES if name == "temperature" else LEAST_NOISE * abs(usual)
    measured_freedom = EFFICIENCY * (len(group) - 1)
    freedom = max(FREEDOM_OF_KNOWN, measured_freedom) if noise <= known else measured_freedom
    scale = max(noise, known)
    found = []
    for card, value in zip(group, values, strict=True):
        worse = value - usual if name == "temperature" else usual - value
        least = LEAST_DEGREES_HOTTER if name == "temperature" else LEAST_DIFFERENCE[name] * abs(usual)
        confidence = _confidence(worse / scale, freedom, comparisons) if scale else 0.0
        if worse >= least and confidence >= SURE:
            found.append(Odd(card, name, value, usual, len(group), confidence))
    return found


def _confidence(distance: float, freedom: float, comparisons: int) -> float:
    """By Student's t, with Bonferroni's correction."""
    tail = t_tail(distance, max(1.0, freedom))
    return math.exp(comparisons * math.log1p(-tail)) if tail < 1 else 0.0


def other_results(cards: Sequence[FleetCard], machine: str) -> list[Finding]:
    """Cards of a machine whose first product has another digest than that of most equal cards under the same driver."""
    groups: dict[tuple[str, ...], list[FleetCard]] = {}
    for card in cards:
        if card.digest:
            groups.setdefault((card.kind[0], card.driver), []).append(card)
    return [finding for group in groups.values() for finding in _unlike(group, machine)]


def _unlike(group: Sequence[FleetCard], machine: str) -> list[Finding]:
    counted = Counter(card.digest for card in group)
    usual, most = counted.most_common(1)[0]
    has_majority = most * 2 > len(group)
    others = [card for card in group if card.machine == machine and (card.digest != usual or not has_majority)]
    if len(counted) == 1 or not others:
        return []
    told = ", ".join(f"{card.name} {card.digest}" for card in others)
    rest = f"{most} of {len(group)} equal cards have {usual}" if has_majority else f"{len(counted)} of them differ"
    return [Finding("card-computes-wrong/unlike", f"digest of the same product: {told}; {rest}")]


def other_firmware(cards: Sequence[FleetCard], machine: str) -> list[Finding]:
    """Cards of a machine whose firmware is not that of most equal ones, where there are enough to tell."""
    found = []
    for kind in sorted({card.kind for card in cards}):
        for name in FIRMWARE:
            group = [card for card in cards if card.kind == kind and name in card.firmware]
            if len(group) < LEAST_CARDS:
                continue
            usual, most = Counter(card.firmware[name] for card in group).most_common(1)[0]
            others = [card for card in group if card.machine == machine and card.firmware[name] != usual]
            if most * 2 > len(group) and others:
                told = ", ".join(f"{card.name} {card.firmware[name]}" for card in others)
                what = f"{name}: {told}; {most} of {len(group)} equal cards have {usual}"
                found.append(Finding("other-firmware-than-its-siblings", what))
    return found


def differences(cards: Sequence[FleetCard]) -> str:
    """Firmware that is not the same everywhere and not judged, for the record; "" where all is equal."""
    told = []
    for kind in sorted({card.kind for card in cards}):
        for name in FIRMWARE:
            versions = Counter(card.firmware[name] for card in cards if card.kind == kind and name in card.firmware)
            if len(versions) > 1:
                told.append(f"{name} of {kind[0]}: " + ", ".join(f"{text} ({n})" for text, n in versions.most_common()))
    return "; ".join(told)
