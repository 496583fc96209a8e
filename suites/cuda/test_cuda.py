"""CUDA in the instances: devices, bandwidth, latency against thresholds with a source."""

from __future__ import annotations

import statistics

import pytest
from judging import require
from record_fixtures import Notes

from probes import bandwidth_test, device_query, p2p_test
from probes.host import Host
from probes.references import GpuModel, gpu_models
from provisioning.cloud_file import Cloud, DeclaredGuest
from reports.records import Measurement

SAMPLES = "https://github.com/NVIDIA/cuda-samples"
REPETITIONS = 3
MEMORY_TOLERANCE = 0.02


def _models(cloud: Cloud, guest: DeclaredGuest) -> list[GpuModel]:
    """Model of each expected device."""
    return [gpu_models()[expected.model] for expected in cloud.gpus_of(guest.flavor) for _ in range(expected.count)]


def _minimum(cloud: Cloud, model: GpuModel, metric: str) -> tuple[float, str]:
    """Lower bound in GB/s and its source: the cloud file's, or the reference's."""
    own = cloud.thresholds.get(f"bandwidth.{metric}")
    if own is not None and own.minimum is not None:
        return own.minimum, own.source
    return model.minimum_gb_per_s[metric], model.source


@pytest.mark.check("cuda.device_query", rests_on=("instance.driver.*",), source=SAMPLES)
def test_cuda_sees_every_card_as_what_it_is(guest: Host, declared_guest: DeclaredGuest, cloud: Cloud) -> None:
    """deviceQuery passes and shows number, model, compute capability and memory of the declared cards."""
    found = device_query.read(guest).devices
    expected = _models(cloud, declared_guest)

    require(
        [device.name for device in found] == [model.name for model in expected],
        "cuda-sees-other-cards",
        f"CUDA sees {[device.name for device in found]}, expected are {[model.name for model in expected]}",
        fix="compare with lspci and nvidia-smi -L: is a card hidden (CUDA_VISIBLE_DEVICES) or refused by the driver?",
    )
    for device, model in zip(found, expected, strict=True):
        memory_mib = device.memory_bytes / 2**20
        require(
            device.compute_capability == model.compute_capability,
            "other-compute-capability",
            f"device {device.index} has {device.compute_capability}, {model.name} has {model.compute_capability}",
            fix="it is another model than declared: correct the cloud file or the server",
        )
        require(
            abs(memory_mib - model.memory_mib) <= MEMORY_TOLERANCE * model.memory_mib,
            "other-memory-size",
            f"device {device.index} has {memory_mib:.0f} MiB, {model.name} has {model.memory_mib}",
            fix="another variant of the model, or memory that was retired: see nvidia-smi -q -d ECC,PAGE_RETIREMENT",
        )


@pytest.mark.check("cuda.bandwidth", rests_on=("cuda.device_query",), source=SAMPLES)
def test_every_card_copies_as_fast_as_its_link_and_memory_allow(
    guest: Host, declared_guest: DeclaredGuest, cloud: Cloud, notes: Notes
) -> None:
    """H2D, D2H and D2D reach the model's lower bound in most of several runs; one noisy sample fails no card."""
    slow: list[str] = []
    metrics: set[str] = set()
    for device, model in enumerate(_models(cloud, declared_guest)):
        runs = [bandwidth_test.read(guest, device).gb_per_s for _ in range(REPETITIONS)]
        for metric in ("h2d", "d2h", "d2d"):
            minimum, source = _minimum(cloud, model, metric)
            values = [run[metric] for run in runs]
            for repetition, value in enumerate(values, start=1):
                notes.measurements.append(
                    Measurement(
                        f"bandwidth.{metric}", value, "GB/s", guest.name, str(device), repetition, minimum, None, source
                    )
                )
            if statistics.median(values) < minimum:
                slow.append(f"device {device} {metric}: {values} GB/s, at least {minimum} expected")
                metrics.add(metric)

    require(
        "d2d" not in metrics,
        "slow-memory",
        "; ".join(slow),
        fix="the card itself is slow: does it throttle (nvidia-smi -q -d PERFORMANCE), is its memory faulty?",
    )
    require(
        not slow,
        "slow-link",
        "; ".join(slow),
        fix="memory on the card is fast, the way to it is not: link width and generation under load, the guest's socket",
    )


@pytest.mark.check("cuda.p2p", rests_on=("cuda.device_query", "cuda.bandwidth"), source=SAMPLES)
def test_cards_of_one_instance_reach_each_other(
    guest: Host, declared_guest: DeclaredGuest, cloud: Cloud, notes: Notes
) -> None:
    """Every pair reaches the bandwidth and latency of its path: direct where it can, else through the host."""
    models = _models(cloud, declared_guest)
    found = p2p_test.read(guest)

    require(
        len(found.unidirectional_gb_per_s) == len(models),
        "cuda-sees-other-cards",
        f"{len(found.unidirectional_gb_per_s)} devices in the matrix, {len(models)} expected",
        fix="see cuda.device_query",
    )
    slow = []
    for one, model in enumerate(models):
        for other in range(len(models)):
            if one == other:
                continue
            path = "p2p_same_root" if (one, other) in found.can_access else "p2p_through_host"
            bandwidth, latency = found.unidirectional_gb_per_s[one][other], found.latency_us[one][other]
            minimum, maximum = model.minimum_gb_per_s[path], model.maximum_us[path]
            pair = f"{one}-{other}"
            notes.measurements.append(
                Measurement(f"bandwidth.{path}", bandwidth, "GB/s", guest.name, pair, 1, minimum, None, model.source)
            )
            notes.measurements.append(
                Measurement(f"latency.{path}", latency, "us", guest.name, pair, 1, None, maximum, model.source)
            )
            if bandwidth < minimum or latency > maximum:
                slow.append(f"{pair}: {bandwidth} GB/s (at least {minimum}), {latency} us (at most {maximum})")

    require(
        not slow,
        "slow-between-cards",
        "; ".join(slow),
        fix="are both cards at full speed alone, and on one socket (nvidia-smi topo -m)?",
    )
