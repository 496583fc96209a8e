"""Measured cards for tests: P100s in good order, and what is changed of them."""

from __future__ import annotations

from typing import Any

from judging.copies import MeasuredCard
from probes.cards_under_load import LoadedCard
from probes.pci_address import PciAddress
from probes.references import gpu_models

P100 = gpu_models()["P100-PCIE-16GB"]
GOOD = {"h2d": (12.1, 12.0, 12.2), "d2h": (13.1, 13.2, 13.1), "d2d": (519.0, 518.0, 520.0)}
FULL_LINK = (3, 16)


def loaded(link: tuple[int | None, int | None] = FULL_LINK, reasons: tuple[str, ...] = ()) -> LoadedCard:
    return LoadedCard(PciAddress("0000:04:00.0"), *link, reasons, 60.0)


def card(device: int = 0, **changes: Any) -> MeasuredCard:
    """A P100 in good order, but for `h2d`, `d2h`, `d2d`, `model`, and `seen`: what it showed under load."""
    figures = {direction: tuple(changes.get(direction, good)) for direction, good in GOOD.items()}
    return MeasuredCard(device, changes.get("model", P100), figures, changes.get("seen", loaded()))
