"""What preflight has to know of a GPU: its ids, how Nova tracks it, which driver and CUDA take it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from preflight.releases import load_data
from probes.references import gpu_models

NEWEST_LISTED = "2900"
"""From here on ids of cards appear that our list may not have yet."""
NAME = re.compile(r"\[(?P<name>[^\]]+)\]")


@dataclass(frozen=True)
class Product:
    """One PCI product id of vendor 10de."""

    name: str
    device_type: str | None
    """type-PF when the card is SR-IOV capable, type-PCI when not, None when we have no source."""
    architecture: str | None
    """A key of data/architectures.yaml; None when the chip's name does not tell."""


@dataclass(frozen=True)
class Architecture:
    """What a generation of GPUs needs."""

    chips: str
    first_driver: int
    last_driver: int | None
    first_cuda: str
    last_cuda: str | None
    open_module: bool


@cache
def architectures() -> dict[str, Architecture]:
    """All generations by name."""
    return {name: Architecture(**entry) for name, entry in load_data("architectures.yaml").items()}


@cache
def nvidia_products() -> dict[str, Product]:
    """Everything with vendor id 10de by product id; the reference data tells more of some."""
    prefixes = {entry.chips: name for name, entry in architectures().items()}
    known = {
        product_id: Product(_short(name), None, prefixes.get(name[:2]) if re.match(r"[A-Z]{2}\d", name) else None)
        for product_id, name in load_data("nvidia_products.yaml").items()
    }
    return {**known, **_of_our_models()}


def _of_our_models() -> dict[str, Product]:
    """Several models may share an id (A2 and A16); what they do not have in common is not known of it."""
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
    """Ids of data-centre and workstation cards, the reference data's first: what a mistyped id may have meant."""
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
    """Whether a card of this id, if there were one, would be in our list."""
    return product_id < NEWEST_LISTED


def version(text: str) -> tuple[int, ...]:
    """A version for comparison, e.g. (11, 8)."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def oldest_driver_for_cuda(cuda: str) -> int | None:
    """Driver branch that a CUDA version needs at least; None when we do not know."""
    table: dict[str, int] = load_data("cuda.yaml")["oldest_driver"]
    return table.get(cuda) or table.get(cuda.partition(".")[0])
