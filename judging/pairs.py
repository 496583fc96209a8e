"""From measured copies between cards to findings: by the way that a pair has, direct or through the host."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from access.errors import MeasurementError
from judging.copies import is_slow, is_unsteady
from probes.nvidia_smi.topology import Topology
from probes.p2p_bandwidth import P2pTest
from probes.references import GpuModel
from probes.references.bands import Band
from probes.references.links import MEASURING_TOLERANCE

NVLINK = re.compile(r"NV(\d+)")
BETWEEN_SOCKETS = ("SYS", "SOC", "QPI")
"""How nvidia-smi topo names the way between processors, today and in older drivers."""
NOT_EXPOSED = "the instance offers no P2P between these cards: copies go through the host"
CAUSES = (
    "p2p-not-exposed",
    "slow-between-cards",
    "unsteady-copies",
)
"""In the order in which they are named when several apply."""


@dataclass(frozen=True)
class Pair:
    """Copies from one card to another."""

    one: int
    other: int
    model: GpuModel
    """Of the slower-linked of both."""
    is_direct: bool
    """Whether CUDA reaches the other card without the host."""
    nvlinks: int | None
    """Between the two; None where there are none."""
    gb_per_s: tuple[float, ...]
    """One figure a run."""
    latency_us: tuple[float, ...]
    across_sockets: bool = False
    """Whether the way leads from one processor to another."""

    @property
    def name(self) -> str:
        """E.g. 0-1"""
        return f"{self.one}-{self.other}"

    @property
    def way(self) -> str:
        """How its metrics are named: p2p_nvlink, p2p_same_root, p2p_across_sockets or p2p_through_host."""
        if not self.is_direct:
            return "p2p_through_host"
        if self.nvlinks:
            return "p2p_nvlink"
        return "p2p_across_sockets" if self.across_sockets else "p2p_same_root"


BandOf = Callable[[Pair, str], Band]
"""Pair and kind (bandwidth, latency) to what is accepted."""


@dataclass(frozen=True)
class PairFinding:
    """One pair that is not as it should be."""

    cause: str
    what: str


def pairs_of(runs: Sequence[P2pTest], models: Sequence[GpuModel], topology: Topology | None) -> list[Pair]:
    """Every ordered pair of different cards, over all runs."""
    return [
        Pair(
            one,
            other,
            min((models[one], models[other]), key=lambda model: (model.link_generation or 0, model.link_width or 0)),
            runs[0].is_direct(one, other),
            _nvlinks(topology, one, other),
            tuple(run.unidirectional_gb_per_s[one][other] for run in runs),
            tuple(run.latency_us[one][other] for run in runs),
            _way(topology, one, other) in BETWEEN_SOCKETS,
        )
        for one in range(len(models))
        for other in range(len(models))
        if one != other
    ]


def _nvlinks(topology: Topology | None, one: int, other: int) -> int | None:
    match = NVLINK.fullmatch(_way(topology, one, other))
    return int(match[1]) if match else None


def _way(topology: Topology | None, one: int, other: int) -> str:
    return topology.connections.get((f"GPU{one}", f"GPU{other}"), "") if topology else ""


def refuse_impossible(pairs: Sequence[Pair], band_of: BandOf) -> None:
    """Let no figure count that physics does not allow.

    Raises:
        MeasurementError: a pair is faster than its link or NVLinks.
    """
    for pair in pairs:
        ceiling = band_of(pair, "bandwidth").ceiling
        if ceiling is not None and max(pair.gb_per_s) > ceiling * MEASURING_TOLERANCE:
            raise MeasurementError(
                f"{pair.name}: {max(pair.gb_per_s):.1f} GB/s over {pair.way}, which can carry {ceiling:.1f}: "
                "this is no measurement"
            )


def unknown_bands(pairs: Sequence[Pair], band_of: BandOf) -> list[str]:
    """Metric and model that nothing is known of."""
    return sorted(
        {
            f"{kind}.{pair.way} of {pair.model.model}"
            for pair in pairs
            for kind in ("bandwidth", "latency")
            if not band_of(pair, kind).is_known
        }
    )


def findings(pairs: Sequence[Pair], band_of: BandOf) -> list[PairFinding]:
    """Pairs out of their band; those that lack P2P which is asked for first."""
    found = [finding for pair in pairs if (finding := _finding(pair, band_of)) is not None]
    return sorted(found, key=lambda finding: CAUSES.index(finding.cause))


def _finding(pair: Pair, band_of: BandOf) -> PairFinding | None:
    bandwidth, latency = band_of(pair, "bandwidth"), band_of(pair, "latency")
    slow = is_slow(pair.gb_per_s, bandwidth.minimum)
    late = latency.maximum is not None and is_slow([-value for value in pair.latency_us], -latency.maximum)
    if not slow and not late and not is_unsteady(pair.gb_per_s):
        return None
    demanded = bandwidth.metric == "bandwidth.p2p" or latency.metric == "latency.p2p"
    what = f"{pair.name} over {pair.way}: {_shown(pair.gb_per_s)} GB/s (at least {bandwidth.minimum}), " + (
        f"{_shown(pair.latency_us)} us (at most {latency.maximum})"
    )
    if demanded and not pair.is_direct:
        return PairFinding("p2p-not-exposed", f"{what}; {NOT_EXPOSED}")
    return PairFinding("slow-between-cards" if slow or late else "unsteady-copies", what)


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
