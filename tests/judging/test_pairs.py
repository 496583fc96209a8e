"""Copies between cards: each way has its own figures, and no P2P is no fault unless the cloud file asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from access.errors import MeasurementError
from judging.pairs import Pair, findings, pairs_of, refuse_impossible, unknown_bands
from probes import p2p_bandwidth
from probes.nvidia_smi.topology import Topology
from probes.references import GpuModel, gpu_models
from probes.references.bands import Band, band

P100, A100, RTX_4090, RTX_6000_ADA = (
    gpu_models()[key] for key in ("P100-PCIE-16GB", "A100-SXM4-80GB", "RTX-4090", "RTX-6000-ADA")
)
THROUGH_HOST = Pair(
    0, 1, P100, is_direct=False, nvlinks=None, gb_per_s=(10.2, 10.3, 10.2), latency_us=(12.0, 12.1, 12.0)
)
PEERS = Pair(0, 1, P100, is_direct=True, nvlinks=None, gb_per_s=(13.1, 13.2, 13.1), latency_us=(1.3, 1.4, 1.3))
NVLINKED = Pair(0, 1, A100, is_direct=True, nvlinks=12, gb_per_s=(271.0, 270.0, 272.0), latency_us=(2.5, 2.6, 2.5))
SAMPLES = Path(__file__).parents[1] / "probes" / "samples" / "p2p_bandwidth"


def sample(name: str) -> p2p_bandwidth.P2pTest:
    """An answer of a real machine."""
    return p2p_bandwidth.parse((SAMPLES / f"{name}.txt").read_text())


def nvlinked(way: str, number: int) -> Topology:
    """Every card reaches every other one by `way`."""
    names = tuple(f"GPU{index}" for index in range(number))
    ways = {(one, other): way for one in names for other in names if one != other}
    return Topology(names, ways, {}, {}, {})


def known(pair: Pair, kind: str) -> Band:
    return band(pair.model, f"{kind}.{pair.way}", virtualised=False, nvlinks=pair.nvlinks)


def asking_for(minimum: float) -> Callable[[Pair, str], Band]:
    """As when the cloud file sets bandwidth.p2p."""

    def band_of(pair: Pair, kind: str) -> Band:
        found = known(pair, kind)
        return replace(found, metric="bandwidth.p2p", minimum=minimum) if kind == "bandwidth" else found

    return band_of


@pytest.mark.parametrize("pair", [THROUGH_HOST, PEERS, NVLINKED], ids=lambda pair: pair.way)
def test_pairs_in_good_order(pair: Pair) -> None:
    assert findings([pair], known) == []
    assert unknown_bands([pair], known) == []


@pytest.mark.parametrize("pair", [THROUGH_HOST, PEERS, NVLINKED], ids=lambda pair: pair.way)
def test_one_noisy_sample_fails_no_pair_and_a_slow_one_always_fails(pair: Pair) -> None:
    low, late = pair.gb_per_s[0] * 0.5, pair.latency_us[0] * 20
    noisy = replace(pair, gb_per_s=(low, *pair.gb_per_s[1:]), latency_us=(late, *pair.latency_us[1:]))
    slow = replace(pair, gb_per_s=(low, pair.gb_per_s[1], low))
    delayed = replace(pair, latency_us=(late, pair.latency_us[1], late))

    assert findings([noisy], known) == []
    assert [finding.cause for finding in findings([slow], known)] == ["slow-between-cards"]
    assert [finding.cause for finding in findings([delayed], known)] == ["slow-between-cards"]


def test_no_p2p_is_a_fault_only_where_the_cloud_file_asks_for_it() -> None:
    assert findings([THROUGH_HOST], known) == []
    assert [finding.cause for finding in findings([THROUGH_HOST], asking_for(12.0))] == ["p2p-not-exposed"]
    assert findings([PEERS], asking_for(12.0)) == []


def test_a_slow_peer_is_not_called_unexposed() -> None:
    slow = replace(PEERS, gb_per_s=(6.0, 6.0, 6.0))

    assert [finding.cause for finding in findings([slow], asking_for(12.0))] == ["slow-between-cards"]


def test_a_pair_faster_than_its_way_is_no_measurement() -> None:
    with pytest.raises(MeasurementError, match="this is no measurement"):
        refuse_impossible([replace(PEERS, gb_per_s=(13.1, 40.0, 13.1))], known)
    with pytest.raises(MeasurementError, match="this is no measurement"):
        refuse_impossible([replace(NVLINKED, nvlinks=4)], known)


def test_p2p_between_sockets_is_not_judged() -> None:
    across = replace(PEERS, across_sockets=True, gb_per_s=(5.0, 5.0, 5.0))

    assert across.way == "p2p_across_sockets"
    assert findings([across], known) == []
    assert unknown_bands([across], known) == [
        "bandwidth.p2p_across_sockets of P100-PCIE-16GB",
        "latency.p2p_across_sockets of P100-PCIE-16GB",
    ]


def test_the_topology_tells_nvlinks_and_sockets() -> None:
    run = sample("rtx6000ada-x2")
    ways = {way: pairs_of([run], [A100, A100], nvlinked(way, 2)) for way in ("NV2", "SYS", "PIX")}

    assert {(pair.way, pair.nvlinks) for pair in ways["NV2"]} == {("p2p_nvlink", 2)}
    assert {pair.way for pair in ways["SYS"]} == {"p2p_across_sockets"}
    assert {pair.way for pair in ways["PIX"]} == {"p2p_same_root"}


@pytest.mark.parametrize(
    ("name", "model", "topo"),
    [
        ("p100-pcie-x4-reads", P100, None),
        ("rtx4090-x2-no-p2p", RTX_4090, None),
        ("rtx6000ada-x2", RTX_6000_ADA, None),
        ("a100-sxm-x4-reads", A100, "NV4"),
    ],
)
def test_answers_of_machines_in_good_order(name: str, model: GpuModel, topo: str | None) -> None:
    run = sample(name)
    pairs = pairs_of([run], [model] * len(run.devices), nvlinked(topo, len(run.devices)) if topo else None)

    assert all(model.is_named(device.name) for device in run.devices)
    assert len(pairs) == len(run.devices) * (len(run.devices) - 1)
    refuse_impossible(pairs, known)
    assert findings(pairs, known) == []
