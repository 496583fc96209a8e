"""Claims: the requested cards and no others.

Never shared, refused when there are none, free at once when given back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from access.errors import ProvisioningError
from cloud_file.cloud import Cloud
from judging.device_views import Views
from judging.verdicts import (
    require,
    require_agreement,
    require_attached,
    require_cards,
    require_freed,
    require_not_shared,
    require_refused,
)
from provisioning.openstack import instances
from provisioning.scenario.cards import Cards
from provisioning.scenario.scenario import Scenario

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"


def _product(cloud: Cloud, alias: str) -> str:
    return cloud.gpu(next(item.gpu for item in cloud.aliases if item.name == alias)).product_id


def _require_products(shown: Sequence[str], wanted: Sequence[str]) -> None:
    require(
        sorted(shown) == sorted(wanted),
        "other-cards-than-requested/product",
        f"the guest shows the products {sorted(shown)}, its aliases are of {sorted(wanted)}",
    )


def _require_no_allocation(seen: Views, server: str, when: str) -> None:
    left = [item for item in seen.allocations or () if item.consumer_id == server]
    require(not left, "orphaned-allocation", f"{when} it has {left} in Placement")


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.check("lifecycle.claim.exact", rests_on=("control_plane.alias.api",), source=NOVA_PCI, api=True)
def test_an_instance_gets_exactly_the_cards_of_its_alias(
    scenario: Scenario, cards: Cards, cloud: Cloud, count: int
) -> None:
    """An alias times N gives N cards of its product, in Nova, hypervisor, host and guest alike."""
    cards.together(count)
    state = scenario.state(scenario.server(scenario.flavor(count)))

    require_cards(state.gpus, count, "started")
    _require_products(state.gpus, [_product(cloud, scenario.alias())] * count)
    require_attached(state.attached, count, "started")
    require_agreement(state.disagreements)


@pytest.mark.check("lifecycle.claim.two_aliases", rests_on=("lifecycle.claim.exact",), source=NOVA_PCI, api=True)
def test_two_aliases_in_one_flavor_are_both_served(scenario: Scenario, cards: Cards, cloud: Cloud) -> None:
    """A flavor with two aliases gets a card of each, two different ones."""
    if len(cloud.aliases) < 2:
        pytest.skip("not verified: the cloud file declares one alias; add another one")
    cards.together(2)
    wanted = {scenario.alias(0): 1, scenario.alias(1): 1}
    state = scenario.state(scenario.server(scenario.flavor(wanted)))

    _require_products(state.gpus, [_product(cloud, alias) for alias in wanted])
    require_attached(state.attached, 2, "started")
    require_agreement(state.disagreements)


@pytest.mark.check("lifecycle.claim.none", source=NOVA_PCI, api=True)
def test_an_instance_without_an_alias_has_no_card(scenario: Scenario, cards: Cards) -> None:
    """A flavor without an alias claims nothing."""
    cards.none()
    state = scenario.state(scenario.server(scenario.flavor(0)))

    require_cards(state.gpus, 0, "started")
    require_attached(state.attached, 0, "started")
    require_agreement(state.disagreements)


@pytest.mark.check("lifecycle.claim.not_shared", rests_on=("lifecycle.claim.exact",), source=NOVA_PCI, api=True)
def test_two_instances_never_share_a_card(scenario: Scenario, cards: Cards) -> None:
    """Different instances have different cards."""
    cards.some(2)
    flavor = scenario.flavor(1)
    first, second = (scenario.state(scenario.server(flavor)) for _ in range(2))

    require_not_shared(first.attached, second.attached)
    require_agreement((*first.disagreements, *second.disagreements))


@pytest.mark.check("lifecycle.claim.too_many", source=NOVA_PCI, api=True)
def test_more_cards_than_any_host_has_are_refused(scenario: Scenario, cards: Cards, cloud: Cloud) -> None:
    """A flavor that no host can serve is refused with a reason that names the scheduler."""
    most = max(sum(gpu.count for gpu in host.gpus) for host in cloud.computes)

    refusal = scenario.refusal(scenario.flavor(most + 1))

    require_refused(
        "No valid host" in refusal,
        refusal,
        f"{most + 1} cards on hosts with {most}",
        cause="more-cards-than-a-host-has",
    )


@pytest.mark.check("lifecycle.claim.unknown_alias", source=NOVA_PCI, api=True)
def test_an_unknown_alias_is_refused_by_the_api(scenario: Scenario, cards: Cards) -> None:
    """A flavor with an alias that nova-api does not know is refused at once, by name."""
    refusal = scenario.refusal(scenario.flavor({"no-such-alias": 1}))

    require_refused(
        "no-such-alias" in refusal,
        refusal,
        "a flavor with an unknown alias",
        cause="alias-not-checked",
    )


@pytest.mark.check("lifecycle.claim.freed", rests_on=("lifecycle.claim.exact",), source=NOVA_PCI, api=True)
def test_a_deleted_instance_frees_its_card_at_once(scenario: Scenario, cards: Cards) -> None:
    """When Nova says that the instance is gone, no side knows its card any more."""
    cards.one()
    server = scenario.server(scenario.flavor(1))
    scenario.delete(server)

    seen = scenario.views.read()
    require_freed(seen.claims or (), server)
    require_agreement(item for item in seen.disagreements() if server in item.instances)
    _require_no_allocation(seen, server, "deleted")


@pytest.mark.check("lifecycle.claim.exhausted", rests_on=("lifecycle.claim.exact",), source=NOVA_PCI, api=True)
def test_when_all_cards_are_taken_one_more_is_refused_and_nothing_leaks(scenario: Scenario, cards: Cards) -> None:
    """N cards serve N instances; the next is refused with a reason; one freed, it works."""
    free = sum(cards.all().values())
    flavor = scenario.flavor(1)
    servers = scenario.boot_servers(flavor, free)

    refusal = scenario.refusal(flavor)
    require_refused(
        "No valid host" in refusal,
        refusal,
        f"one card more than the {free} free ones",
        cause="more-cards-than-there-are",
    )
    require_agreement(scenario.views.read().disagreements())  # else a leak would be told as the next refusal

    scenario.delete(servers[0])
    after = scenario.state(scenario.server(flavor))
    require_cards(after.gpus, 1, "with a card free again")


@pytest.mark.check("lifecycle.claim.race", rests_on=("lifecycle.claim.exhausted",), source=NOVA_PCI, api=True)
def test_of_one_request_too_many_at_the_same_moment_one_is_refused(scenario: Scenario, cards: Cards) -> None:
    """N+1 requests at once for N cards: N are served, one is refused, no card is given twice."""
    free = sum(cards.all().values())
    flavor = scenario.flavor(1)
    servers = [scenario.request(flavor) for _ in range(free + 1)]
    ends = [instances.wait_for_status(scenario.tenant, server, "ACTIVE", "ERROR") for server in servers]

    served = [server for server in ends if server.status == "ACTIVE"]
    refused = [server for server in ends if server.status == "ERROR"]
    problems = list(scenario.views.read().disagreements())
    faults = [instances.fault_of(item) for item in refused]
    require(
        len(served) <= free,
        "more-cards-than-there-are",
        f"{free} free cards served {len(served)} instances",
    )
    require(
        len(served) == free,
        "free-cards-not-given",
        f"{free} free cards served {len(served)} instances; refused were {faults}",
    )
    require_agreement(problems)


@pytest.mark.check("lifecycle.claim.error_leaves_nothing", rests_on=("lifecycle.claim.too_many",), api=True)
def test_a_refused_instance_leaves_nothing_when_deleted(scenario: Scenario, cards: Cards, admin: Any) -> None:
    """An instance in ERROR has no claim and no allocation, before and after it is deleted."""
    server = scenario.request(scenario.flavor(64))
    instances.wait_for_status(scenario.tenant, server, "ERROR")
    before = scenario.views.read()
    scenario.delete(server)
    after = scenario.views.read()

    for seen, when in ((before, "in ERROR"), (after, "deleted")):
        _require_no_allocation(seen, server, when)
        require_freed(seen.claims or (), server)


@pytest.mark.check("lifecycle.claim.flavor_is_private", api=True)
def test_a_flavor_can_be_deleted_while_its_instance_lives(scenario: Scenario, cards: Cards, admin: Any) -> None:
    """The instance keeps the flavor's cards over a hard reboot, since Nova copied the flavor into it."""
    cards.one()
    flavor = scenario.flavor(1)
    server = scenario.server(flavor)
    try:
        admin.compute.delete_flavor(flavor)
    except Exception as error:
        raise ProvisioningError(f"the flavor cannot be deleted: {error}") from error
    report = scenario.reboots(
        server, lambda: scenario.run_action("reboot_server", server, "ACTIVE", reboot_type="HARD")
    )
    after = scenario.state(server)

    require_cards(report.gpus, 1, "after the reboot")
    require_agreement(after.disagreements)
