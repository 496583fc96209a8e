"""Which figures are good for a model: the ceiling follows from physics, the accepted band from observed runs.

Of the observations the nearest count: of the same model and virtualised alike, of the same model, of other models with
a link of the same generation. Those of other models are scaled by what link, NVLinks or memory can carry. Where there
is no observation there is no band: nothing is invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from access.data_files import read_data
from probes.references import GpuModel, gpu_models, sources
from probes.references.links import pcie_gb_per_s

SLACK = 0.85
"""Share of the lowest observed bandwidth that is still accepted: machines in good order differ by about as much."""
LATENCY_SLACK = 2.0
"""Multiple of the highest observed latency that is still accepted."""
VIRTUALISED_SHARE = 0.8
"""Of a link's bandwidth in an instance: 9.6 GB/s where the bare machine has 12.0 over generation 3 x16."""
OVER_MEMORY = frozenset({"bandwidth.d2d"})
OVER_NVLINK = frozenset({"bandwidth.p2p_nvlink"})
METRICS = (
    "bandwidth.h2d",
    "bandwidth.d2h",
    "bandwidth.d2d",
    "bandwidth.p2p",
    "bandwidth.p2p_nvlink",
    "bandwidth.p2p_same_root",
    "bandwidth.p2p_across_sockets",
    "bandwidth.p2p_through_host",
    "latency.p2p",
    "latency.p2p_nvlink",
    "latency.p2p_same_root",
    "latency.p2p_across_sockets",
    "latency.p2p_through_host",
)
"""What cloud files may set; `p2p` alone means every pair, whatever its path."""


@dataclass(frozen=True)
class Observation:
    """What a tool showed on a machine in good order."""

    metric: str
    model: str
    lowest: float
    """GB/s, or us for a latency."""
    highest: float
    virtualised: bool | None
    """None if the source does not say."""
    nvlinks: int | None
    source: str


@dataclass(frozen=True)
class Band:
    """Accepted figures of one metric; GB/s, or us for a latency. None: not known."""

    metric: str
    minimum: float | None
    maximum: float | None
    ceiling: float | None
    """What physics allows: a figure above it is no measurement."""
    source: str

    @property
    def is_known(self) -> bool:
        """Whether a figure can be judged at all."""
        return self.minimum is not None or self.maximum is not None


@cache
def observations() -> tuple[Observation, ...]:
    """All observed runs."""
    entries = read_data(Path(__file__).parent / "observations.yaml")
    return tuple(
        Observation(
            entry["metric"],
            entry["model"],
            entry["band"][0],
            entry["band"][1],
            entry.get("virtualised"),
            entry.get("nvlinks"),
            str(sources()[entry["source"]]),
        )
        for entry in entries
    )


def band(
    model: GpuModel,
    metric: str,
    *,
    virtualised: bool | None,
    nvlinks: int | None = None,
    known: Sequence[Observation] | None = None,
) -> Band:
    """The accepted band of a card; `nvlinks` is the number between the two cards of a pair."""
    ceiling = ceiling_of(model, metric, nvlinks)
    nearest = _nearest(model, metric, virtualised, observations() if known is None else known)
    if metric.startswith("latency"):
        return Band(metric, None, _maximum(nearest, virtualised), None, _origins(nearest))
    return Band(metric, _minimum(model, nearest, ceiling, virtualised, nvlinks), None, ceiling, _origins(nearest))


def ceiling_of(model: GpuModel, metric: str, nvlinks: int | None = None) -> float | None:
    """What a model's memory, NVLinks or link can carry in GB/s; None if unknown."""
    if metric.startswith("latency"):
        return None
    if metric in OVER_MEMORY:
        return model.memory_gb_per_s
    if metric in OVER_NVLINK:
        count = nvlinks or model.nvlinks
        return count * model.nvlink_gb_per_s if count and model.nvlink_gb_per_s else None
    if model.link_generation is None or model.link_width is None:
        return None
    return pcie_gb_per_s(model.link_generation, model.link_width)


def _nearest(
    model: GpuModel, metric: str, virtualised: bool | None, known: Iterable[Observation]
) -> tuple[Observation, ...]:
    same = [seen for seen in known if seen.metric == metric]
    mine = [seen for seen in same if seen.model == model.model]
    alike = [seen for seen in same if _is_alike(model, gpu_models()[seen.model], metric)]
    older = _newest([seen for seen in same if _is_older(gpu_models()[seen.model], model, metric)])
    for group in (mine, alike, older):
        exact = [seen for seen in group if seen.virtualised == virtualised]
        if exact or group:
            return tuple(exact or group)
    return ()


def _is_alike(model: GpuModel, other: GpuModel, metric: str) -> bool:
    """Whether figures of another model, scaled, say something about this one."""
    if metric in OVER_MEMORY | OVER_NVLINK or metric.startswith("latency"):
        return True
    return model.link_generation is not None and model.link_generation == other.link_generation


def _is_older(other: GpuModel, model: GpuModel, metric: str) -> bool:
    """Between cards a faster link carries at least what a slower one did; there are few observations of these."""
    if "p2p" not in metric or metric in OVER_NVLINK or not other.link_generation or not model.link_generation:
        return False
    return other.link_generation < model.link_generation


def _newest(seen: Sequence[Observation]) -> list[Observation]:
    """Those over the fastest generation of link."""
    generations = [gpu_models()[each.model].link_generation or 0 for each in seen]
    return [each for each, generation in zip(seen, generations, strict=True) if generation == max(generations)]


def _minimum(
    model: GpuModel,
    nearest: Sequence[Observation],
    ceiling: float | None,
    virtualised: bool | None,
    nvlinks: int | None,
) -> float | None:
    scaled = [_scaled(model, seen, ceiling, nvlinks) for seen in nearest]
    lowest = [
        value * _share(seen, virtualised) for seen, value in zip(nearest, scaled, strict=True) if value is not None
    ]
    return round(min(lowest) * SLACK, 1) if lowest else None


def _scaled(model: GpuModel, seen: Observation, ceiling: float | None, nvlinks: int | None) -> float | None:
    """The observed bandwidth as it would be on this model; None if unknown."""
    if seen.model == model.model and seen.nvlinks == nvlinks:
        return seen.lowest
    other = gpu_models()[seen.model]
    if _is_older(other, model, seen.metric):
        return seen.lowest
    reached = ceiling_of(other, seen.metric, seen.nvlinks)
    return seen.lowest / reached * ceiling if reached and ceiling else None


def _share(seen: Observation, virtualised: bool | None) -> float:
    """Memory and NVLinks are the same in an instance; the path over the host is not."""
    over_host = seen.metric not in OVER_MEMORY and not seen.metric.endswith("nvlink")
    return VIRTUALISED_SHARE if over_host and virtualised is not False and seen.virtualised is not True else 1.0


def _maximum(nearest: Sequence[Observation], virtualised: bool | None) -> float | None:
    highest = [seen.highest / _share(seen, virtualised) for seen in nearest]
    return round(max(highest) * LATENCY_SLACK, 1) if highest else None


def _origins(nearest: Sequence[Observation]) -> str:
    return "; ".join(sorted({seen.source for seen in nearest}))
