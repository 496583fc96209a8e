"""CUDA in the instances, or on the machines of kind host: devices, copies and peers against figures with a source."""

from __future__ import annotations

import pytest
from measuring_lock import Alone

from access.errors import NotVerified
from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from judging.bare_metal import BareMetal
from judging.copies import findings as copy_findings
from judging.copies import refuse_impossible as refuse_impossible_copies
from judging.copies import repeated
from judging.copies import unknown_bands as unknown_copy_bands
from judging.cuda_programs import errors_are_findings
from judging.measuring import (
    Bands,
    are_good,
    are_steady,
    card_measurements,
    expected_models,
    is_virtualised,
    measured_cards,
    measured_pairs,
    models_of,
    pair_measurements,
)
from judging.notes import Notes
from judging.pairs import NOT_EXPOSED
from judging.pairs import findings as pair_findings
from judging.pairs import refuse_impossible as refuse_impossible_pairs
from judging.pairs import unknown_bands as unknown_pair_bands
from judging.verdicts import require, require_known, require_none
from probes import copy_runs, device_query
from probes.nvidia_smi import query

SAMPLES = "https://github.com/NVIDIA/cuda-samples"
LEAST_MEMORY_SHARE = 0.88
"""ECC takes a sixteenth of GDDR memory, the driver a part of the rest.

15102 MiB of a T4's 16384, 22518 of an L4's 24576.
"""
GIB = 2**30
SAY_IT = "set thresholds in the cloud file, with the reason, or add an observation to probes/references"


@pytest.mark.check("cuda.device_query", rests_on=("instance.gpu.*", "instance.driver.*"), source=SAMPLES)
def test_cuda_sees_every_card_as_what_it_is(guest: Host, declared_guest: DeclaredGuest, cloud: Cloud) -> None:
    """deviceQuery passes and shows number, model, compute capability and memory of the declared cards."""
    devices = _devices(guest)
    models = models_of(devices, expected_models(cloud, declared_guest))

    for device, model in zip(devices, models, strict=True):
        require(
            model.compute_capability in (None, device.compute_capability),
            "other-compute-capability",
            f"device {device.index} has {device.compute_capability}, {model.name} has {model.compute_capability}",
        )
        memory_gib = device.memory_bytes / GIB
        require(
            model.memory_gib is None or LEAST_MEMORY_SHARE * model.memory_gib <= memory_gib <= model.memory_gib,
            "other-memory-size",
            f"device {device.index} has {memory_gib:.1f} GiB, {model.name} has {model.memory_gib}",
        )
    unknown = sorted(
        {
            f"{figure} of {m.model}"
            for m in models
            for figure in ("compute_capability", "memory_gib")
            if getattr(m, figure) is None
        }
    )
    require_known(unknown, remedy="add the figure to gpus[].facts of the cloud file (docs/cloud-file.md)")


def _devices(guest: Host) -> tuple[device_query.Device, ...]:
    with errors_are_findings("deviceQuery", may_take_long=False):
        return device_query.read(guest).devices


@pytest.mark.check("cuda.bandwidth", rests_on=("cuda.device_query",), source=SAMPLES, alone=True)
def test_every_card_copies_as_fast_as_its_link_and_memory_allow(
    guest: Host, declared_guest: DeclaredGuest, cloud: Cloud, notes: Notes, bare_metal: BareMetal, alone: Alone
) -> None:
    """H2D, D2H and D2D of every card reach their band in most of several runs that differ little, and equal cards are equally fast."""  # noqa: E501
    models = expected_models(cloud, declared_guest)
    with alone(), errors_are_findings("the copies of every card"):
        copied = copy_runs.read(guest, lambda runs: are_steady(runs, models))
    cards = measured_cards(copied, models)
    bands = Bands(cloud, virtualised=is_virtualised(query.read(guest).gpus[0], cloud))
    notes.measurements += card_measurements(guest.name, cards, bands, bare_metal)
    notes.found = repeated(cards)

    refuse_impossible_copies(cards, bands.of_card)
    require_none(copy_findings(cards, bands.of_card))
    require_known(unknown_copy_bands(cards, bands.of_card), remedy=SAY_IT)


@pytest.mark.check(
    "cuda.p2p", rests_on=("cuda.device_query", "cuda.computes_right", "cuda.bandwidth"), source=SAMPLES, cards=2
)
def test_cards_of_one_instance_reach_each_other(
    guest: Host, declared_guest: DeclaredGuest, cloud: Cloud, notes: Notes, bare_metal: BareMetal, alone: Alone
) -> None:
    """Every pair reaches bandwidth and latency of its way: NVLink or P2P where it has it, else through the host."""
    models = expected_models(cloud, declared_guest)
    bands = Bands(cloud, virtualised=is_virtualised(query.read(guest).gpus[0], cloud))
    with alone(), errors_are_findings("the copies between cards"):
        copied = copy_runs.read_pairs(guest, lambda runs: are_good(runs, models, bands.of_pair))
    pairs = measured_pairs(copied, models)
    if not pairs:
        raise NotVerified("the instance has cards for pairs, and no pair was measured")
    notes.measurements += pair_measurements(guest.name, pairs, bands, bare_metal)
    notes.found = NOT_EXPOSED if not any(pair.is_direct for pair in pairs) else ""

    refuse_impossible_pairs(pairs, bands.of_pair)
    require_none(pair_findings(pairs, bands.of_pair))
    require_known(unknown_pair_bands(pairs, bands.of_pair), remedy=SAY_IT)
