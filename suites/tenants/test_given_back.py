"""A card that was given back is as new for the next tenant: empty memory, default settings, the same firmware."""

from __future__ import annotations

import pytest

from access.errors import NotVerified
from judging.verdicts import require
from provisioning.scenario.card_traces import Traces

OTHER_CARD = "the second instance has another card: keep the other cards taken meanwhile"
RESET = "https://docs.kernel.org/driver-api/vfio.html"


def _require_comparison(good: bool, why: str) -> None:
    if not good:
        raise NotVerified(f"nothing was compared: {why}")


@pytest.mark.check("tenants.card.residue", rests_on=("instance.driver.loaded",), source=RESET, api=True)
def test_the_next_tenant_reads_nothing_of_the_last_one(traces: Traces) -> None:
    """A pattern that one instance wrote into the card's memory is not found by the next instance with that card."""
    _require_comparison(traces.same_card, OTHER_CARD)
    _require_comparison(traces.written_then_found, "the pattern was not found by its own writer")
    require(
        not traces.found_by_next,
        "memory-not-erased",
        f"{traces.found_by_next} words of the last instance's pattern are still in the memory of {traces.card}",
    )


@pytest.mark.check("tenants.card.settings", rests_on=("instance.driver.loaded",), source=RESET, api=True)
def test_the_next_tenant_finds_default_settings(traces: Traces) -> None:
    """A power limit that one instance set is not there for the next one, nor any other setting changed."""
    _require_comparison(traces.same_card, OTHER_CARD)
    _require_comparison(traces.settings_changed, "the first instance could not lower the card's power limit")
    require(
        traces.settings_next == traces.settings_before,
        "settings-not-reset",
        f"the next instance finds power limit, compute and ECC mode {traces.settings_next}, before they were "
        f"{traces.settings_before}: {traces.card} was not reset",
    )


@pytest.mark.check("tenants.card.vbios", rests_on=("instance.driver.loaded",), source=RESET, api=True)
def test_the_cards_firmware_is_the_same_for_the_next_tenant(traces: Traces) -> None:
    """No tenant changed the VBIOS: its version is what the last one saw."""
    _require_comparison(traces.same_card, OTHER_CARD)
    require(
        traces.vbios_next == traces.vbios_before,
        "firmware-changed",
        f"the VBIOS was {traces.vbios_before}, now it is {traces.vbios_next}",
    )
