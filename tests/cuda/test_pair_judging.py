"""Copies between cards: each way has its own figures, and no P2P is no fault unless the cloud file asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from lab_captures import capture
from pair_judging import Pair, findings, pairs_of, refuse_impossible, unknown_bands

from probes import p2p_test
from probes.nvidia_smi import topology
from probes.references import gpu_models
from probes.references.bands import Band, band
from provisioning.errors import MeasurementError

P100, A100, RTX_4090 = (gpu_models()[key] for key in ("P100-PCIE-16GB", "A100-SXM4-80GB", "RTX-4090"))
THROUGH_HOST = Pair(0, 1, P100, is_direct=False, nvlinks=None, gb_per_s=(10.2, 10.3, 10.2), latency_us=(12.0, 12.1, 12.0))
PEERS = Pair(0, 1, P100, is_direct=True, nvlinks=None, gb_per_s=(13.1, 13.2, 13.1), latency_us=(1.3, 1.4, 1.3))
NVLINKED = Pair(0, 1, A100, is_direct=True, nvlinks=12, gb_per_s=(271.0, 270.0, 272.0), latency_us=(2.5, 2.6, 2.5))
NV2 = """\tGPU0\tGPU1\tCPU Affinity\tNUMA Affinity
GPU0\t X \tNV2\t0-23\t0
GPU1\tNV2\t X \t0-23\t0
"""


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
        "bandwidth.p2p_across_sockets of P100-PCIE-16GB", "latency.p2p_across_sockets of P100-PCIE-16GB",
    ]  # fmt: skip


def test_the_topology_tells_nvlinks_and_sockets() -> None:
    run = p2p_test.parse(capture("p2p/rtx6000ada-x2.txt"))
    run = replace(run, can_access=frozenset({(0, 1), (1, 0)}))
    models = [A100, A100]

    nvlinked = pairs_of([run], models, topology.parse(NV2))
    across = pairs_of([run], models, topology.parse(NV2.replace("NV2", "SYS")))
    near = pairs_of([run], models, topology.parse(NV2.replace("NV2", "PIX")))

    assert {(pair.way, pair.nvlinks) for pair in nvlinked} == {("p2p_nvlink", 2)}
    assert {pair.way for pair in across} == {"p2p_across_sockets"}
    assert {pair.way for pair in near} == {"p2p_same_root"}


@pytest.mark.parametrize("name", ["p2p/p100-pcie-x4.txt", "p2p/rtx4090x2-nop2p.txt"])
def test_captures_of_machines_in_good_order(name: str) -> None:
    """Without the topology; with P2P switched off a pair has still its way through the host."""
    run = p2p_test.parse(capture(name))
    model = P100 if "p100" in name else RTX_4090
    pairs = pairs_of([run], [model] * len(run.devices), None)

    refuse_impossible(pairs, known)
    assert len(pairs) == len(run.devices) * (len(run.devices) - 1)
    assert findings(pairs, known) == []
