"""All cards under load at once, for as long as --level says: what they compute, count, keep, and how alike they are."""

from __future__ import annotations

import pytest

from cloud_file.sections.tenant import DeclaredGuest
from judging import fleet as fleet_judgement
from judging import load as load_judgement
from judging.cuda_programs import errors_are_findings
from judging.load import require_loaded
from judging.notes import Notes
from judging.verdicts import require, require_none
from probes.load.loaded import Loaded

DCGM = "https://docs.nvidia.com/datacenter/dcgm/latest/user-guide/dcgm-diagnostics.html"
BURN = "https://github.com/wilicc/gpu-burn"
ERRORS = "https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/"
CLOCKS = "https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html"
EQUAL = "IEEE 754: one program, one order of operations, one result; silicon of one model differs by some per cent"
SHARED = "https://docs.nvidia.com/cuda/cuda-c-best-practices-guide/index.html#data-transfer-between-host-and-device"


@pytest.mark.check("cuda.load.right", rests_on=("cuda.computes_right", "instance.server.reachable"), source=BURN)
def test_every_card_computes_right_under_load(loaded: Loaded, declared_guest: DeclaredGuest, notes: Notes) -> None:
    """Loaded with all others for the level's time, every card keeps its memory and computes right."""
    require_loaded(loaded)
    require_none(load_judgement.lost(loaded))
    with errors_are_findings("the load of every card"):
        found = load_judgement.wrong_results(loaded)
        notes.measurements += load_judgement.measurements(loaded)
        notes.found = load_judgement.told(loaded)

    require_none(found)


@pytest.mark.check("cuda.load.counters", rests_on=("cuda.load.right", "instance.driver.no_errors"), source=ERRORS)
def test_no_counter_of_errors_grows_under_load(loaded: Loaded, declared_guest: DeclaredGuest, notes: Notes) -> None:
    """Counters of memory, links and NVLink are the same after the load as before, and the driver logged nothing against a card."""  # noqa: E501
    require_loaded(loaded)
    require_none(load_judgement.lost(loaded))

    require_none(load_judgement.grown_counters(loaded))
    notes.found = f"nothing grew in {loaded.load_seconds:.0f} s"


@pytest.mark.check("cuda.load.clocks", rests_on=("cuda.load.right", "cuda.bandwidth"), source=CLOCKS)
def test_every_card_keeps_its_clocks_under_load(loaded: Loaded, declared_guest: DeclaredGuest, notes: Notes) -> None:
    """Neither heat nor a lack of power holds a card's clocks down while all cards work."""
    require_loaded(loaded)
    require_none(load_judgement.lost(loaded))
    notes.measurements += load_judgement.heat(loaded)

    require_none(load_judgement.throttled(loaded))


@pytest.mark.check("cuda.load.together", rests_on=("cuda.load.right", "cuda.bandwidth"), source=SHARED)
def test_cards_copy_together_no_less_than_one_alone(
    loaded: Loaded, fleet: tuple[Loaded, ...], declared_guest: DeclaredGuest, notes: Notes
) -> None:
    """Copying at once, the cards of one host reach together at least what one of them reaches alone."""
    require_loaded(loaded)
    require_none(load_judgement.lost(loaded))
    siblings = [machine for machine in fleet if machine.host == loaded.host] if loaded.host else [loaded]
    with errors_are_findings("the copies of all cards at once"):
        found = load_judgement.collapsed(siblings)
        count = sum(len(machine.together) for machine in siblings)
    notes.found = f"{count} cards at once"

    require_none(found)


@pytest.mark.check("cuda.load.alike", rests_on=("cuda.load.right", "cuda.load.clocks", "cuda.bandwidth"), source=EQUAL)
def test_no_card_differs_from_its_siblings(
    loaded: Loaded, fleet: tuple[Loaded, ...], declared_guest: DeclaredGuest, notes: Notes
) -> None:
    """Of all cards of one model none computes otherwise, is surely slower or hotter than the others, or has other firmware."""  # noqa: E501
    require_loaded(loaded)
    require_none(load_judgement.lost(loaded))
    cards = fleet_judgement.cards_of(fleet)
    notes.found = fleet_judgement.differences(cards) or f"{len(cards)} cards compared"

    require_none(fleet_judgement.other_results(cards, loaded.name))
    require_none(fleet_judgement.other_firmware(cards, loaded.name))
    odd = [odd for odd in fleet_judgement.odd_ones(cards) if odd.card.machine == loaded.name]
    require(not odd, "odd-one-out", "; ".join(map(str, odd)))
