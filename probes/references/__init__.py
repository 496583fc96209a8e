"""What is good for every GPU model, as data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

NVIDIA_VENDOR_ID = "10de"
_FILE = Path(__file__).parent / "gpus.yaml"


@dataclass(frozen=True)
class GpuModel:
    """One model of GPU."""

    model: str
    """Key in the reference data, as cloud files write it."""
    name: str
    """As the driver and CUDA print it."""
    product_id: str
    architecture: str
    compute_capability: str
    memory_mib: int
    """As CUDA reports it, ECC on."""
    sriov: bool
    """Whether the card has an SR-IOV capability, so that Nova tracks it as type-PF."""
    link_generation: int
    link_width: int
    kernel_modules: tuple[str, ...]
    """Flavours of the kernel module that take this card: proprietary, open."""
    last_driver_branch: int | None
    """None: every branch so far."""
    minimum_gb_per_s: dict[str, float]
    """h2d, d2h, d2d, p2p_same_root, p2p_through_host"""
    maximum_us: dict[str, float]
    source: str

    @property
    def device_type(self) -> str:
        """Nova's device_type of the whole card."""
        return "type-PF" if self.sriov else "type-PCI"


@cache
def gpu_models() -> dict[str, GpuModel]:
    """All models by key."""
    data: dict[str, dict[str, Any]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return {key: _model(key, entry) for key, entry in data.items()}


def _model(key: str, entry: dict[str, Any]) -> GpuModel:
    return GpuModel(
        model=key,
        name=entry["name"],
        product_id=entry["product_id"],
        architecture=entry["architecture"],
        compute_capability=entry["compute_capability"],
        memory_mib=entry["memory_mib"],
        sriov=entry["sriov"],
        link_generation=entry["link"]["generation"],
        link_width=entry["link"]["width"],
        kernel_modules=tuple(entry["kernel_module"]),
        last_driver_branch=entry.get("last_driver_branch"),
        minimum_gb_per_s=entry["minimum_gb_per_s"],
        maximum_us=entry["maximum_us"],
        source=" ".join(entry["source"].split()),
    )
