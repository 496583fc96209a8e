"""What happens to cards when nova-compute or its host goes away. Disturbs whoever else is on that host."""

from __future__ import annotations

import pytest

from judging.verdicts import require, require_agreement, require_cards, require_freed, require_unchanged
from provisioning.scenario.cards import Cards
from provisioning.scenario.scenario import Scenario

EVACUATE = "https://docs.openstack.org/nova/latest/admin/evacuate.html"

pytestmark = pytest.mark.disruptive


@pytest.mark.check("lifecycle.host.restart", rests_on=("lifecycle.claim.exact",), api=True)
def test_a_restart_of_nova_compute_changes_nothing(scenario: Scenario, cards: Cards) -> None:
    """After nova-compute was restarted the instance runs on with its card, and every side agrees."""
    cards.all()
    server = scenario.server(scenario.flavor(1))
    before = scenario.state(server)
    scenario.restart_nova_compute(before.host)
    after = scenario.state(server)

    require_unchanged(("ACTIVE", before.attached), (after.status, after.attached), "its status and cards", "restarted")
    require_unchanged(before.boot_id, after.boot_id, "the guest's boot", "restarted")
    require_agreement(after.disagreements)


@pytest.mark.check("lifecycle.host.restart_then_delete", rests_on=("lifecycle.host.restart",), api=True)
def test_cards_of_before_a_restart_can_be_given_back_after_it(scenario: Scenario, cards: Cards) -> None:
    """An instance from before the restart frees its card when it is deleted after it."""
    cards.all()
    server = scenario.server(scenario.flavor(1))
    scenario.restart_nova_compute(scenario.host(server))
    scenario.delete(server)

    seen = scenario.views.read()
    require_freed(seen.claims or (), server)
    require_agreement(item for item in seen.disagreements() if server in item.instances)


@pytest.mark.check("lifecycle.host.evacuate", rests_on=("lifecycle.claim.exact",), source=EVACUATE, api=True)
def test_an_evacuated_instance_has_a_card_of_another_host(scenario: Scenario, cards: Cards) -> None:
    """Evacuated it has a card elsewhere; when its first host comes back, nothing is left there."""
    cards.all(to_move=1)
    server = scenario.server(scenario.flavor(1))
    before = scenario.state(server)
    with scenario.forced_down(before.host):
        report = scenario.reboots(server, lambda: scenario.evacuate(server))
        moved = scenario.state(server)
    after = scenario.state(server)

    require(
        moved.host != before.host,
        "not-evacuated",
        f"it stayed on {before.host}",
    )
    require_cards(report.gpus, 1, "evacuated")
    require(  # before the sides are compared: its first domain is without a claim, too, and no reboot helps it
        all(place.startswith(f"{moved.host} ") for place in after.attached or ()),
        "evacuated-guest-stays",
        f"it runs on {moved.host}, its domains have {after.attached}",
        host=before.host,
    )
    require_agreement(after.disagreements)
