"""Scheduling around the cards: quota, zones, aggregates, hosts that are full for another reason."""

from __future__ import annotations

from typing import Any

import pytest

from access.errors import ProvisioningError
from cloud_file.cloud import Cloud
from judging.verdicts import require, require_cards, require_refused
from probes.openstack import nova, placement
from provisioning.scenario.cards import Cards, host_cards
from provisioning.scenario.making import MEMORY_MB, VCPUS
from provisioning.scenario.scenario import Scenario

LEFT_MB = 512
"""Nova's hosts count their own memory a little differently from Placement."""
FILLERS_A_HOST = 4
"""One is enough, or as many as memory is given several times; one is never larger than the host's own memory."""
FILTERS = "https://docs.openstack.org/nova/latest/admin/scheduling.html"


@pytest.mark.check(
    "lifecycle.scheduling.quota", source="https://docs.openstack.org/nova/latest/user/quotas.html", api=True
)
def test_a_flavor_above_the_quota_is_refused_by_the_api(scenario: Scenario, cards: Cards, admin: Any) -> None:
    """A flavor with more cores than the quota is refused at once, and claims no card."""
    limit = nova.quota(admin, str(scenario.environment.project_id)).cores
    if limit < 0:
        pytest.skip("not verified: the tenant's quota of cores is unlimited")
    refusal = scenario.refusal(scenario.flavor(1, vcpus=limit + 1))

    require_refused(
        "quota" in refusal.lower(),
        refusal,
        f"{limit + 1} cores with a quota of {limit}",
        cause="quota-not-kept",
    )


@pytest.mark.check("lifecycle.scheduling.unknown_zone", source=FILTERS, api=True)
def test_an_unknown_availability_zone_is_refused_by_the_api(scenario: Scenario, cards: Cards) -> None:
    """A zone that does not exist is refused by name."""
    refusal = scenario.refusal(scenario.flavor(1), availability_zone="no-such-zone")

    require_refused(
        "no-such-zone" in refusal or "availability zone" in refusal.lower(),
        refusal,
        "a zone that does not exist",
        cause="unknown-zone-accepted",
    )


@pytest.mark.check("lifecycle.scheduling.zone", rests_on=("lifecycle.claim.exact",), source=FILTERS, api=True)
def test_a_zone_with_gpu_hosts_gives_a_card(scenario: Scenario, cards: Cards, cloud: Cloud) -> None:
    """An instance that names the zone of a GPU host gets a card of a host of that zone."""
    cards.one()
    zone = scenario.zone_of(next(iter(host_cards(cloud))))
    server = scenario.server(scenario.flavor(1), availability_zone=zone)

    require(
        scenario.zone_of(scenario.host(server)) == zone,
        "placed-in-another-zone",
        f"asked for in {zone}, it runs on {scenario.host(server)}",
    )


@pytest.mark.disruptive
@pytest.mark.check("lifecycle.scheduling.own_zone", rests_on=("lifecycle.scheduling.zone",), source=FILTERS, api=True)
def test_a_zone_of_one_host_gives_cards_of_that_host_only(scenario: Scenario, cards: Cards, cloud: Cloud) -> None:
    """With a zone around one GPU host, that host's cards are all there is: one more is refused."""
    free = cards.all()
    host = max(free, key=lambda name: free[name])
    zone = f"{cloud.prefix}-zone"
    if any(scenario.instances_on(host)):
        pytest.skip(f"not verified: {host} has instances, so Nova does not move it to another zone; empty it first")
    scenario.aggregate([host], {"availability_zone": zone})
    flavor = scenario.flavor(1)
    servers = scenario.boot_servers(flavor, free[host], availability_zone=zone)
    refusal = scenario.refusal(flavor, availability_zone=zone)
    places = {scenario.host(server) for server in servers}
    for server in servers:  # else the host cannot leave the zone
        scenario.delete(server)

    require(
        places == {host},
        "placed-in-another-zone",
        f"asked for on {host} alone, they run on {places}",
    )
    require_refused(
        "No valid host" in refusal,
        refusal,
        f"one card more than the {free[host]} of {host}",
        cause="more-cards-than-there-are",
    )


@pytest.mark.disruptive
@pytest.mark.check("lifecycle.scheduling.full_host", rests_on=("lifecycle.claim.exact",), source=FILTERS, api=True)
def test_a_host_filled_without_cards_gives_none_and_none_is_lost(
    scenario: Scenario, cards: Cards, cloud: Cloud, admin: Any
) -> None:
    """Instances without cards that use up the memory make a GPU instance fail; when they go, it works."""
    hosts = list(cards.all())
    everybody = [host.name for host in cloud.computes]
    if set(everybody) != set(hosts):
        pytest.skip("not verified: this cloud has computes without cards, which would take the fillers")
    before = _taken(scenario)
    fillers = _fill_memory(scenario, admin, hosts)
    small = scenario.flavor(1, vcpus=VCPUS)
    refusal = scenario.refusal(small)
    taken = _taken(scenario) - before
    for server in fillers:
        scenario.delete(server)
    state = scenario.state(scenario.server(small))

    require_refused(
        "No valid host" in refusal,
        refusal,
        "an instance on hosts whose memory is full",
        cause="memory-given-twice",
    )
    require(not taken, "card-stays-claimed", f"refused, but claimed: {sorted(taken)}")
    require_cards(state.gpus, 1, "with free memory again")


def _taken(scenario: Scenario) -> set[str]:
    """Claimed cards, as HOST ADDRESS; none where the database is not shown."""
    return {f"{item.host} {item.address}" for item in scenario.views.read().claims or () if item.is_taken}


def _fill_memory(scenario: Scenario, admin: Any, hosts: list[str]) -> list[str]:
    """Instances without cards, until no host has room for one with a card.

    Each is as large as the roomiest host lets it be.
    """
    fillers: list[str] = []
    while len(fillers) < FILLERS_A_HOST * len(hosts):
        roomiest = max((placement.inventory(admin, host, "MEMORY_MB") for host in hosts), key=lambda room: room.free)
        if roomiest.free < MEMORY_MB:
            return fillers
        memory_mb = min(roomiest.free - LEFT_MB, roomiest.total - roomiest.reserved)
        try:
            fillers.append(scenario.server(scenario.flavor(0, memory_mb=memory_mb)))
        except ProvisioningError as error:
            pytest.skip(f"not verified: the memory of {', '.join(hosts)} could not be filled: {error}")
    pytest.skip(f"not verified: {len(fillers)} instances do not fill the memory of {', '.join(hosts)}")
