"""What is known of every GPU model, as data: each figure has its own source, and one without a source is absent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from access.data_files import read_data
from probes.references.architectures import figures_of_models

NVIDIA_VENDOR_ID = "10de"
FOLDER = Path(__file__).parent
BRAND = re.compile(r"^(NVIDIA |Tesla |GeForce |Quadro |Graphics Device )+")


@dataclass(frozen=True)
class Source:
    """Where a figure comes from."""

    title: str
    address: str

    def __str__(self) -> str:
        return f"{self.title}, {self.address}"


@dataclass(frozen=True)
class GpuModel:
    """One model of GPU. None if no source states the figure."""

    model: str
    """Key in the reference data, as cloud files write it."""
    architecture: str
    name: str
    """As the newest driver prints it; see `is_named`."""
    product_ids: tuple[str, ...]
    """PCI product ids of vendor 10de; some belong to several models."""
    other_names: tuple[str, ...] = ()
    """As other drivers print it, where it is not only the brand that differs."""
    compute_capability: str | None = None
    memory_gib: int | None = None
    """What is built in; ECC and the driver take a part of it."""
    memory_gb_per_s: float | None = None
    """Physical limit of reads and writes together."""
    link_generation: int | None = None
    link_width: int | None = None
    nvlinks: int | None = None
    nvlink_gb_per_s: float | None = None
    """One NVLink in one direction."""
    sriov: bool | None = None
    """Whether the card has an SR-IOV capability, so that Nova tracks it as type-PF."""
    kernel_modules: tuple[str, ...] = ()
    """Flavours of the kernel module that take this card: proprietary, open."""
    first_driver_branch: int | None = None
    last_driver_branch: int | None = None
    """None: no last one is known."""
    first_cuda: str | None = None
    last_cuda_major: int | None = None
    """None: no last one is known."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """By field."""

    @property
    def product_id(self) -> str:
        """The first of its PCI product ids."""
        return self.product_ids[0]

    @property
    def device_type(self) -> str | None:
        """Nova's device_type of the whole card."""
        if self.sriov is None:
            return None
        return "type-PF" if self.sriov else "type-PCI"

    def source(self, figure: str) -> str:
        """Where a field's value comes from; "" for one that is absent."""
        return str(self.sources.get(figure, ""))

    def is_named(self, name: str) -> bool:
        """Whether a driver means this model by `name`, with any brand: `Tesla T4` became `NVIDIA T4`."""
        return bare_name(name) in {bare_name(known) for known in (self.name, *self.other_names)}


def bare_name(name: str) -> str:
    """A model's name without brands, which drivers write differently: A100-PCIE-40GB."""
    return BRAND.sub("", name.strip())


@cache
def gpu_models() -> dict[str, GpuModel]:
    """All models by key."""
    models = {}
    for file in sorted((FOLDER / "models").glob("*.yaml")):
        for key, figures in _read(f"models/{file.name}").items():
            models[key] = _model(key, file.stem, {**figures_of_models(file.stem), **figures})
    return models


@cache
def sources() -> dict[str, Source]:
    """All sources by key."""
    return {key: Source(**entry) for key, entry in _read("sources.yaml").items()}


def model_named(name: str) -> GpuModel | None:
    """The model that a driver or CUDA names; None if it is not in the data."""
    return next((model for model in gpu_models().values() if model.is_named(name)), None)


def _read(name: str) -> Any:
    return read_data(FOLDER / name)


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _model(key: str, architecture: str, figures: dict[str, Any]) -> GpuModel:
    """Raises KeyError for a figure without a known source, TypeError for one that no model has."""
    values: dict[str, Any] = {name: _value(figure[0]) for name, figure in figures.items()}
    origins = {name: sources()[source] for name, (_, source) in figures.items()}
    unknown = set(values) - {field.name for field in fields(GpuModel)}
    if unknown:
        raise TypeError(f"{key}: no such figure: {', '.join(sorted(unknown))}")
    return GpuModel(model=key, architecture=architecture, sources=origins, **values)
