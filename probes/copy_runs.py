"""Several runs of the copies of one machine's cards, and what the cards did meanwhile: raw figures, nothing judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from access.host import Host
from probes import cards_under_load, copy_bandwidth, device_query, p2p_bandwidth
from probes.cards_under_load import LoadedCard
from probes.device_query import Device
from probes.nvidia_smi import topology
from probes.nvidia_smi.topology import Topology
from probes.p2p_bandwidth import P2pTest
from probes.pci_address import PciAddress

RUNS = 3
"""One noisy sample is no finding, a figure that repeats itself is one."""
MOST_RUNS = 9
"""Copies are repeated by threes until they are enough, and no more than this."""


@dataclass(frozen=True)
class CopyRuns:
    """All devices that CUDA sees, in its order."""

    devices: tuple[Device, ...]
    gb_per_s: tuple[tuple[Mapping[str, float], ...], ...]
    """Run, then device: h2d, d2h and d2d."""
    looks: tuple[Mapping[PciAddress, LoadedCard], ...]
    """What each card did under load, where the driver tells: once for every three runs."""


@dataclass(frozen=True)
class PairRuns:
    """Copies between all cards, run by run."""

    runs: tuple[P2pTest, ...]
    topology: Topology | None


def read(host: Host, is_enough: Callable[[CopyRuns], bool]) -> CopyRuns:
    """Copy from, to and within every card, several times; more often only while `is_enough` says no.

    Raises:
        ToolMissing, ParseError, CommandError: as the tools say.
    """
    devices = device_query.read(host).devices
    looks: list[Mapping[PciAddress, LoadedCard]] = []
    runs: list[tuple[Mapping[str, float], ...]] = []
    while True:
        looks.append(cards_under_load.read(host))
        runs += [copy_bandwidth.read(host, len(devices)).gb_per_s for _ in range(RUNS)]
        found = CopyRuns(devices, tuple(runs), tuple(looks))
        if len(runs) >= MOST_RUNS or is_enough(found):
            return found


def read_pairs(host: Host, is_enough: Callable[[PairRuns], bool]) -> PairRuns:
    """Copy between every two cards; again only while `is_enough` says no, for that takes minutes.

    Raises:
        ToolMissing, ParseError, CommandError: as the tools say.
    """
    runs: list[P2pTest] = []
    while True:
        runs.append(p2p_bandwidth.read(host))
        found = PairRuns(tuple(runs), topology.read(host))
        if len(runs) == RUNS or is_enough(found):
            return found
