"""What the cards compute and copy is right: speed alone proves nothing."""

from __future__ import annotations

import pytest
from measuring_lock import Alone

from access.errors import NotVerified, ToolFailure, ToolMissing
from access.host import Host
from cloud_file.sections.tenant import DeclaredGuest
from judging.cuda_programs import errors_are_findings
from judging.notes import Notes
from judging.verdicts import require
from probes import device_query, gpu_burn, matrix_mul, simple_p2p

SAMPLES = "https://github.com/NVIDIA/cuda-samples"
BURN = "https://github.com/wilicc/gpu-burn"
BURNS_S = (20, 120)
"""Until every card has come to the end of a step: a large memory takes ten seconds and more to fill with products."""


@pytest.mark.check("cuda.computes_right", rests_on=("cuda.device_query",), source=SAMPLES)
def test_every_card_computes_right(guest: Host, declared_guest: DeclaredGuest, notes: Notes, alone: Alone) -> None:
    """Every card multiplies matrices without an error; gpu_burn compares longer, where it is installed."""
    with errors_are_findings("deviceQuery", may_take_long=False):
        devices = device_query.read(guest).devices
    if not devices:
        raise NotVerified("CUDA showed no card to compute on")
    results = {device.index: _product(guest, device.index) for device in devices}
    wrong = [
        f"device {index}: {result.wrong_elements} wrong elements"
        for index, result in results.items()
        if not result.is_right
    ]
    with alone(), errors_are_findings("gpu_burn"):
        burned = _burned(guest)
    wrong += [f"device {gpu.index}: gpu_burn found {gpu.errors} errors" for gpu in burned if gpu.errors or gpu.has_died]
    by_burning = f", {len(burned)} burned without an error" if burned else ""
    notes.found = f"{len(results)} cards multiplied right{by_burning}" if not wrong else ""

    require(not wrong, "card-computes-wrong", "; ".join(wrong))


def _product(guest: Host, device: int) -> matrix_mul.MatrixMul:
    with errors_are_findings(f"matrixMul of device {device}", may_take_long=False):
        return matrix_mul.read(guest, device)


def _burned(guest: Host) -> list[gpu_burn.BurnedGpu]:
    """Cards that gpu_burn computed on; none where it is not installed, for matrixMul has compared already."""
    burned: list[gpu_burn.BurnedGpu] = []
    for duration_s in BURNS_S:
        try:
            cards = gpu_burn.read(guest, duration_s).gpus
        except ToolMissing:
            return []
        except ToolFailure as failure:
            if failure.kind != "nothing-computed":
                raise
            continue
        burned = [card for card in cards if card.products or card.errors or card.has_died]
        if len(burned) == len(cards):
            break
    return burned


@pytest.mark.check("cuda.p2p_data", rests_on=("cuda.device_query", "cuda.computes_right"), source=SAMPLES, cards=2)
def test_copies_between_cards_arrive(guest: Host, declared_guest: DeclaredGuest, notes: Notes) -> None:
    """Where cards reach each other directly, what one writes is what the other reads."""
    with errors_are_findings("simpleP2P", may_take_long=False):
        found = simple_p2p.read(guest)
    notes.found = "no two cards reach each other directly" if found.copies_arrive is None else "copies arrive"

    require(
        found.copies_arrive is not False,
        "peer-copies-do-not-arrive",
        f"{found.wrong_elements or 'some'} elements of a copy between two cards are wrong",
    )
