"""What preflight has to know of a GPU: its ids, and how Nova tracks it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from probes.references import gpu_models


@dataclass(frozen=True)
class Product:
    """One PCI product id of vendor 10de."""

    name: str
    device_type: str | None
    """type-PF when the card is SR-IOV capable, type-PCI when not, None when we have no source."""


@cache
def nvidia_products() -> dict[str, Product]:
    """GPUs of the reference data by product id; several models may share one (A2 and A16)."""
    found: dict[str, Product] = {}
    for model in gpu_models().values():
        for product_id in model.product_ids:
            other = found.get(product_id, Product("", model.device_type))
            name = f"{other.name} or {model.name}" if other.name else model.name
            found[product_id] = Product(name, model.device_type if model.device_type == other.device_type else None)
    return found
