"""NVIDIA's PCI product ids: the name of each, how Nova tracks it and its architecture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from access.data_files import read_data
from probes.references import gpu_models
from probes.references.architectures import architectures

FILE = Path(__file__).parent / "nvidia_products.yaml"
NEWEST_LISTED = "2900"
"""From here on there may be cards that our list lacks."""
NAME = re.compile(r"\[(?P<name>[^\]]+)\]")
CHIP = re.compile(r"[A-Z]{2}\d")


@dataclass(frozen=True)
class Product:
    """One PCI product id of NVIDIA."""

    name: str
    device_type: str | None
    """type-PF if the card is SR-IOV capable, type-PCI if not, None if no source tells."""
    architecture: str | None
    """A key of architectures.yaml; None if the chip's name does not tell."""


@cache
def nvidia_products() -> dict[str, Product]:
    """All of NVIDIA's products by product id; of our GPU models it tells more."""
    listed = {
        product_id: Product(_short(name), None, architecture_of(name)) for product_id, name in listed_products().items()
    }
    return {**listed, **_of_our_models()}


@cache
def listed_products() -> dict[str, str]:
    """Chip and name of each product id, as pci.ids has them."""
    products: dict[str, str] = read_data(FILE)
    return products


def architecture_of(listed_name: str) -> str | None:
    """The architecture that a chip's name tells: GP100GL [Tesla P100] is Pascal; None for what is no GPU."""
    if not CHIP.match(listed_name):
        return None
    return next((name for name, entry in architectures().items() if listed_name.startswith(entry.chips)), None)


def _of_our_models() -> dict[str, Product]:
    """Several models may share an id (A2 and A16); a property in which they differ is unknown."""
    found: dict[str, Product] = {}
    for model in gpu_models().values():
        for product_id in model.product_ids:
            other = found.get(product_id, Product("", model.device_type, model.architecture))
            found[product_id] = Product(
                f"{other.name} or {model.name}" if other.name else model.name,
                model.device_type if model.device_type == other.device_type else None,
                model.architecture if model.architecture == other.architecture else None,
            )
    return found


@cache
def gpu_ids() -> tuple[str, ...]:
    """Ids of data-centre and workstation cards, our models' first: what a mistyped id may have meant."""
    ours = list(_of_our_models())
    cards = [
        key
        for key, item in nvidia_products().items()
        if item.architecture and item.name.startswith(("Tesla", "Quadro"))
    ]
    return tuple(dict.fromkeys([*ours, *cards]))


def _short(name: str) -> str:
    found = NAME.search(name)
    return found["name"] if found else name


def is_listed_completely(product_id: str) -> bool:
    """Whether our list has every product with an id of this range."""
    return product_id < NEWEST_LISTED
