"""Power: every state change that stays on the host keeps exactly the same cards."""

from __future__ import annotations

import pytest

from judging.verdicts import require, require_agreement, require_cards, require_freed, require_unchanged
from probes.guest_console import REBOOT_ONCE, USER_DATA
from provisioning.scenario.cards import Cards
from provisioning.scenario.scenario import Scenario
from provisioning.scenario.state import InstanceState

SERVERS = "https://docs.openstack.org/api-guide/compute/server_concepts.html"
COUNTS = pytest.mark.parametrize("count", [1, 2])


def _require_same_cards(before: InstanceState, after: InstanceState, count: int) -> None:
    require_unchanged("ACTIVE", after.status, "its status", "at the end")
    require_unchanged(before.attached, after.attached, "the set of its cards", "at the end")
    require_cards(after.gpus, count, "at the end")
    require_agreement(after.disagreements)


def _require_claims_kept(before: InstanceState, now: InstanceState, when: str) -> None:
    require(
        now.claimed == before.claimed,
        "claim-lost",
        f"{when} Nova has claimed {now.claimed} for it, before {before.claimed}: another instance may get the card",
    )


@COUNTS
@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
@pytest.mark.check("lifecycle.power.reboot", rests_on=("lifecycle.claim.exact",), source=SERVERS, api=True)
def test_a_reboot_keeps_the_cards(scenario: Scenario, cards: Cards, kind: str, count: int) -> None:
    """After a soft or hard reboot the guest booted again and has the same cards."""
    cards.together(count)
    server = scenario.server(scenario.flavor(count))
    before = scenario.state(server)
    scenario.reboots(server, lambda: scenario.run_action("reboot_server", server, "ACTIVE", reboot_type=kind))

    _require_same_cards(before, scenario.state(server), count)


@pytest.mark.check("lifecycle.power.guest_reboot", rests_on=("lifecycle.claim.exact",), source=SERVERS, api=True)
def test_a_reboot_from_inside_keeps_the_card(scenario: Scenario, cards: Cards) -> None:
    """A guest that reboots itself, unknown to Nova, has the same card."""
    cards.one()
    server = scenario.server(scenario.flavor(1), user_data=USER_DATA + REBOOT_ONCE)
    before = scenario.state(server)
    first = scenario.first_boot(server)
    scenario.boot(server, after=first.boot_id)

    _require_same_cards(before, scenario.state(server), 1)


@pytest.mark.check("lifecycle.power.pause", rests_on=("lifecycle.claim.exact",), source=SERVERS, api=True)
def test_a_paused_instance_keeps_its_card(scenario: Scenario, cards: Cards) -> None:
    """While paused and afterwards the card is the same, and the guest did not boot again."""
    cards.one()
    server = scenario.server(scenario.flavor(1))
    before = scenario.state(server)
    scenario.run_action("pause_server", server, "PAUSED")
    paused = scenario.state(server)
    scenario.run_action("unpause_server", server, "ACTIVE")
    after = scenario.state(server)

    require_unchanged(before.attached, paused.attached, "the set of its cards", "paused")
    require_agreement(paused.disagreements)
    require_unchanged(before.boot_id, after.boot_id, "the guest's boot", "unpaused")
    _require_same_cards(before, after, 1)


@COUNTS
@pytest.mark.check("lifecycle.power.stop", rests_on=("lifecycle.claim.exact",), source=SERVERS, api=True)
def test_a_stopped_instance_keeps_its_claim(scenario: Scenario, cards: Cards, count: int) -> None:
    """A stopped instance still owns its cards: nobody else gets them, and it starts with the same ones."""
    cards.together(count)
    server = scenario.server(scenario.flavor(count))
    before = scenario.state(server)
    scenario.run_action("stop_server", server, "SHUTOFF")
    stopped = scenario.state(server)
    scenario.reboots(server, lambda: scenario.run_action("start_server", server, "ACTIVE"))

    _require_claims_kept(before, stopped, "stopped")
    require_agreement(stopped.disagreements)
    _require_same_cards(before, scenario.state(server), count)


@COUNTS
@pytest.mark.check("lifecycle.power.rebuild", rests_on=("lifecycle.claim.exact",), source=SERVERS, api=True)
def test_a_rebuild_keeps_the_cards(scenario: Scenario, cards: Cards, count: int) -> None:
    """A rebuilt instance has a new disk and the same cards."""
    cards.together(count)
    server = scenario.server(scenario.flavor(count))
    before = scenario.state(server)
    image = scenario.environment.image_id
    scenario.reboots(server, lambda: scenario.run_action("rebuild_server", server, "ACTIVE", image=image))

    _require_same_cards(before, scenario.state(server), count)


@pytest.mark.check("lifecycle.power.suspend", rests_on=("lifecycle.claim.exact",), source=SERVERS, api=True)
def test_suspend_and_resume_keep_the_claim(scenario: Scenario, cards: Cards) -> None:
    """Flavor-based cards are unplugged while suspended and plugged in again; the claim stays all the time."""
    cards.one()
    server = scenario.server(scenario.flavor(1))
    before = scenario.state(server)
    scenario.run_action("suspend_server", server, "SUSPENDED")
    suspended = scenario.state(server)
    scenario.run_action("resume_server", server, "ACTIVE")
    after = scenario.state(server)

    _require_claims_kept(before, suspended, "suspended")
    require_unchanged(before.boot_id, after.boot_id, "the guest's boot", "resumed from its saved memory")
    _require_same_cards(before, after, 1)


@pytest.mark.check("lifecycle.power.delete_stopped", rests_on=("lifecycle.power.stop",), source=SERVERS, api=True)
def test_a_stopped_instance_gives_its_card_back_when_deleted(scenario: Scenario, cards: Cards) -> None:
    """Deleting a stopped instance frees its card as deleting a running one does."""
    cards.one()
    server = scenario.server(scenario.flavor(1))
    scenario.run_action("stop_server", server, "SHUTOFF")
    scenario.delete(server)

    seen = scenario.views.read()
    require_freed(seen.claims or (), server)
    require_agreement(item for item in seen.disagreements() if server in item.instances)
