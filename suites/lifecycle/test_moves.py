"""Moves: resize, cold migration, shelving, snapshots; each side agrees at once, and nothing stays claimed."""

from __future__ import annotations

import contextlib

import pytest

from access.errors import ProvisioningError, WaitTimeout
from judging.verdicts import (
    require,
    require_agreement,
    require_attached,
    require_cards,
    require_freed,
    require_not_shared,
    require_unchanged,
)
from provisioning.openstack import instances
from provisioning.scenario.cards import Cards
from provisioning.scenario.scenario import Scenario

RESIZE = "https://docs.openstack.org/nova/latest/contributor/resize-and-cold-migrate.html"
SHELVE = "https://docs.openstack.org/api-guide/compute/server_concepts.html"
ENDS = {"confirm": "confirm_server_resize", "revert": "revert_server_resize"}


def _finish(scenario: Scenario, server: str, end: str) -> None:
    if end == "confirm":
        scenario.run_action(ENDS[end], server, "ACTIVE")
    else:  # the guest of the source boots again
        scenario.reboots(server, lambda: scenario.run_action(ENDS[end], server, "ACTIVE"))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("old", "new"), [(0, 1), (1, 0), (1, 2), (2, 1)], ids=["0to1", "1to0", "1to2", "2to1"])
@pytest.mark.check("lifecycle.move.resize", rests_on=("lifecycle.claim.exact",), source=RESIZE, api=True)
def test_a_resize_changes_the_cards_and_leaves_none_behind(
    scenario: Scenario, cards: Cards, old: int, new: int, end: str
) -> None:
    """A resized instance has the new flavor's cards; confirmed it keeps them, reverted it has the old ones again."""
    if old + new > 1:
        cards.all(to_move=max(old, new))
    else:
        cards.one()
    server = scenario.server(scenario.flavor(old))
    target = scenario.flavor(new)
    resized = scenario.reboots(
        server, lambda: scenario.run_action("resize_server", server, "VERIFY_RESIZE", flavor=target)
    )
    during = scenario.state(server)
    _finish(scenario, server, end)
    after = scenario.state(server)

    kept = new if end == "confirm" else old
    require_cards(resized.gpus, new, "resized")
    require_agreement(during.disagreements)
    require_cards(after.gpus, kept, f"after the {end}")
    require_attached(after.attached, kept, f"after the {end}")
    require(
        len(after.claimed) == kept or scenario.views.hidden.get("claims"),
        "card-stays-claimed",
        f"after the {end} Nova has claimed {after.claimed}: a card stays claimed",
    )
    require_agreement(after.disagreements)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.check("lifecycle.move.migrate", rests_on=("lifecycle.claim.exact",), source=RESIZE, api=True)
def test_a_cold_migration_takes_as_many_cards_along(scenario: Scenario, cards: Cards, count: int, end: str) -> None:
    """A migrated instance has as many cards of another host; the source's are free once it is confirmed."""
    cards.move(count)
    server = scenario.server(scenario.flavor(count))
    before = scenario.state(server)
    scenario.reboots(server, lambda: scenario.run_action("migrate_server", server, "VERIFY_RESIZE", as_admin=True))
    during = scenario.state(server)
    _finish(scenario, server, end)
    after = scenario.state(server)

    require(
        during.host != before.host,
        "not-migrated",
        f"it stayed on {before.host}",
    )
    require_agreement(during.disagreements)
    require_unchanged(during.host if end == "confirm" else before.host, after.host, "its host", f"after the {end}")
    require_cards(after.gpus, count, f"after the {end}")
    require(
        len(after.claimed) == count or scenario.views.hidden.get("claims"),
        "card-stays-claimed",
        f"after the {end} Nova has claimed {after.claimed}: a card stays claimed",
    )
    require_agreement(after.disagreements)


@pytest.mark.check("lifecycle.move.migrate_refused", rests_on=("lifecycle.move.migrate",), source=RESIZE, api=True)
def test_a_migration_without_a_free_card_elsewhere_is_refused(scenario: Scenario, cards: Cards) -> None:
    """With every card taken nothing can move: it is refused, and the instance goes on with its card."""
    free = sum(cards.all().values())
    flavor = scenario.flavor(1)
    servers = scenario.boot_servers(flavor, free)
    before = scenario.state(servers[0])
    try:
        scenario.run_action("migrate_server", servers[0], "VERIFY_RESIZE", as_admin=True)
        refusal = ""
    except ProvisioningError as error:
        refusal = str(error)

    after = scenario.state(servers[0])
    require(refusal, "moved-without-a-free-card", f"with every card taken it was migrated to {after.host}")
    require_unchanged(("ACTIVE", before.attached), (after.status, after.attached), "its status and cards", "refused")
    require_agreement(after.disagreements)


@pytest.mark.check("lifecycle.move.stopped", rests_on=("lifecycle.move.migrate",), source=RESIZE, api=True)
def test_a_stopped_instance_migrates_and_starts_with_a_card(scenario: Scenario, cards: Cards) -> None:
    """A stopped instance is stopped after the move, too, and starts there with a card."""
    cards.move(1)
    server = scenario.server(scenario.flavor(1))
    first_host = scenario.host(server)
    scenario.run_action("stop_server", server, "SHUTOFF")
    scenario.run_action("migrate_server", server, "VERIFY_RESIZE", as_admin=True)
    scenario.run_action("confirm_server_resize", server, "SHUTOFF")
    report = scenario.reboots(server, lambda: scenario.run_action("start_server", server, "ACTIVE"))
    after = scenario.state(server)

    require(after.host != first_host, "not-migrated", f"it stayed on {first_host}")
    require_cards(report.gpus, 1, "at the end")
    require_agreement(after.disagreements)


@pytest.mark.check("lifecycle.move.delete_resized", rests_on=("lifecycle.move.resize",), source=RESIZE, api=True)
def test_an_instance_deleted_before_it_is_confirmed_frees_both_claims(scenario: Scenario, cards: Cards) -> None:
    """Deleting an instance in VERIFY_RESIZE leaves no claim on either host, after the next audit at the latest."""
    cards.move(1)
    server = scenario.server(scenario.flavor(1))
    scenario.run_action("migrate_server", server, "VERIFY_RESIZE", as_admin=True)
    scenario.delete(server)
    with contextlib.suppress(WaitTimeout):  # what is claimed then stays claimed
        scenario.wait_until_free(server)

    seen = scenario.views.read()
    require_freed(seen.claims or (), server)
    require_agreement(item for item in seen.disagreements() if server in item.instances)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.check("lifecycle.move.shelve", rests_on=("lifecycle.claim.exact",), source=SHELVE, api=True)
def test_a_shelved_instance_frees_its_cards_and_gets_some_again(scenario: Scenario, cards: Cards, count: int) -> None:
    """Offloaded it has no claim at all; unshelved it has as many cards as its flavor says."""
    cards.together(count)
    server = scenario.server(scenario.flavor(count))
    _offload(scenario, server)
    offloaded = scenario.state(server)
    report = scenario.boot_after(server, lambda: scenario.run_action("unshelve_server", server, "ACTIVE"))
    after = scenario.state(server)

    require_agreement(offloaded.disagreements)
    require(
        not offloaded.claimed and not offloaded.attached,
        "card-stays-claimed",
        f"shelved and offloaded it has claimed {offloaded.claimed}, attached {offloaded.attached}",
    )
    require_cards(report.gpus, count, "unshelved")
    require_agreement(after.disagreements)


def _offload(scenario: Scenario, server: str) -> None:
    scenario.shelve(server)
    if scenario.status(server) == "SHELVED":  # [compute] shelved_offload_time is not 0 here
        scenario.run_action("shelve_offload_server", server, "SHELVED_OFFLOADED", as_admin=True)


@pytest.mark.check("lifecycle.move.unshelve_refused", rests_on=("lifecycle.move.shelve",), source=SHELVE, api=True)
def test_an_instance_stays_shelved_while_no_card_is_free(scenario: Scenario, cards: Cards) -> None:
    """Unshelving without a free card fails and leaves the instance shelved; with a freed card it works."""
    free = sum(cards.all().values())
    flavor = scenario.flavor(1)
    shelved = scenario.server(flavor)
    _offload(scenario, shelved)
    others = scenario.boot_servers(flavor, free)

    scenario.request_action("unshelve_server", shelved)
    refused = instances.wait_for_status(scenario.tenant, shelved, "SHELVED_OFFLOADED", "ERROR", "ACTIVE").status
    scenario.delete(others[0])
    scenario.run_action("unshelve_server", shelved, "ACTIVE")
    after = scenario.state(shelved)

    require(
        refused == "SHELVED_OFFLOADED",
        "unshelved-without-a-free-card",
        f"without a free card it became {refused}",
    )
    require_attached(after.attached, 1, "unshelved with a card free again")
    require_agreement(after.disagreements)


@pytest.mark.check("lifecycle.move.snapshot", rests_on=("lifecycle.claim.exact",), source=SHELVE, api=True)
def test_a_snapshot_boots_with_a_card_of_its_own(scenario: Scenario, cards: Cards) -> None:
    """An instance from a snapshot has its own card; the snapshot did not touch the first one's."""
    cards.some(2)
    flavor = scenario.flavor(1)
    server = scenario.server(flavor)
    before = scenario.state(server)
    copy = scenario.server(flavor, image_id=scenario.snapshot(server))
    first, second = scenario.state(server), scenario.state(copy)

    require_unchanged(before.attached, first.attached, "its cards", "after its snapshot booted")
    require_cards(second.gpus, 1, "booted from a snapshot")
    require_not_shared(first.attached, second.attached)
    require_agreement((*first.disagreements, *second.disagreements))


@pytest.mark.check(
    "lifecycle.move.live_migration",
    rests_on=("lifecycle.claim.exact",),
    source="https://docs.openstack.org/nova/latest/admin/live-migration-usage.html",
    api=True,
)
def test_a_live_migration_is_refused_and_the_guest_goes_on(scenario: Scenario, cards: Cards) -> None:
    """Whole cards cannot move alive unless alias and device say live_migratable: refused, with nothing changed."""
    cards.move(1)
    server = scenario.server(scenario.flavor(1))
    before = scenario.state(server)
    refusal = scenario.live_migrate(server)
    after = scenario.state(server)

    require(
        refusal,
        "moved-alive-with-a-card",
        f"it moved to {after.host}: a whole card has no state that could move along",
    )
    require_unchanged(
        ("ACTIVE", before.host, before.attached), (after.status, after.host, after.attached), "its state", "refused"
    )
    require_unchanged(before.boot_id, after.boot_id, "the guest's boot", "refused")
    require_agreement(after.disagreements)
