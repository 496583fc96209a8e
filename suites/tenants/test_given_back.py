"""A card that was given back is as new for the next tenant: empty memory, default settings, the same firmware."""

from __future__ import annotations

import pytest
from card_traces import Traces

RESET = "https://docs.kernel.org/driver-api/vfio.html"


@pytest.mark.check("tenants.card.residue", rests_on=("instance.driver.loaded",), source=RESET, api=True)
def test_the_next_tenant_reads_nothing_of_the_last_one(traces: Traces) -> None:
    """A pattern that one instance wrote into the card's memory is not found by the next instance with that card."""
    assert traces.same_card, "the second instance has another card: nothing was compared"
    assert traces.written_then_found, "the pattern was not found by its own writer: the search does not work"
    assert not traces.found_by_next, (
        f"{traces.found_by_next} words of the last instance's pattern are still in the memory of {traces.card}; "
        "the card is not reset between instances: see reset_method of the device on the host"
    )


@pytest.mark.check("tenants.card.settings", rests_on=("instance.driver.loaded",), source=RESET, api=True)
def test_the_next_tenant_finds_default_settings(traces: Traces) -> None:
    """A power limit that one instance set is not there for the next one, nor any other setting changed."""
    assert traces.same_card, "the second instance has another card: nothing was compared"
    assert traces.settings_changed, "the first instance could not lower the power limit: nothing was tested"
    assert traces.settings_next == traces.settings_before, (
        f"the next instance finds power limit, compute and ECC mode {traces.settings_next}, before they were {traces.settings_before}: "
        f"{traces.card} was not reset"
    )


@pytest.mark.check("tenants.card.vbios", rests_on=("instance.driver.loaded",), source=RESET, api=True)
def test_the_cards_firmware_is_the_same_for_the_next_tenant(traces: Traces) -> None:
    """No tenant changed the VBIOS: its version is what the last one saw."""
    assert traces.same_card, "the second instance has another card: nothing was compared"
    assert traces.vbios_next == traces.vbios_before, (
        f"the VBIOS was {traces.vbios_before}, now it is {traces.vbios_next}"
    )
