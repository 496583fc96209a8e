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
    """GPUs of the reference data by product id."""
    return {model.product_id: Product(model.name, model.device_type) for model in gpu_models().values()}
