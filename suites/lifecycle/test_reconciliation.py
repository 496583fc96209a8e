"""Four sides of every device of the cloud: sysfs, hypervisor, Nova's claims, Placement. Orphans and double claims."""

from __future__ import annotations

import pytest

from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer
from judging.configuration import takes
from judging.device_views import Views
from judging.verdicts import require, require_agreement
from provisioning.hosts import Hosts
from provisioning.scenario.cards import Cards
from provisioning.scenario.cloud_views import CloudViews
from provisioning.service_files import configuration

CLAIMS = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"


@pytest.fixture
def seen(views: CloudViews, cards: Cards) -> Views:
    """The whole cloud while no test changes it."""
    cards.all(at_least=0)
    return views.read()


def _shown(views: CloudViews, *sides: str) -> None:
    for side in sides:
        if side in views.hidden:
            pytest.skip(f"not verified: {views.hidden[side]}")


@pytest.mark.check(
    "lifecycle.reconciliation.devices", rests_on=("control_plane.device_spec.*",), source=CLAIMS, api=True
)
def test_nova_offers_exactly_the_devices_that_the_hosts_have(seen: Views, views: CloudViews) -> None:
    """Each row of pci_devices is a device in sysfs, each GPU of sysfs is a row."""
    _shown(views, "devices", "claims")

    require_agreement(seen.devices_against_claims())


@pytest.mark.check("lifecycle.reconciliation.hypervisor", source=CLAIMS, api=True)
def test_no_device_is_in_two_domains_and_running_domains_have_theirs(seen: Views, views: CloudViews) -> None:
    """Each device is in one domain at most, and vfio-pci has it on the host when that domain runs."""
    _shown(views, "devices", "domains")

    require_agreement(seen.devices_against_domains())


@pytest.mark.check("lifecycle.reconciliation.claims", source=CLAIMS, api=True)
def test_novas_claims_are_the_devices_of_the_domains(seen: Views, views: CloudViews) -> None:
    """Each device in a domain is claimed for exactly that instance, and each claim has its domain."""
    _shown(views, "domains", "claims")

    require_agreement(seen.domains_against_claims())


@pytest.mark.check(
    "lifecycle.reconciliation.placement", source="https://docs.openstack.org/placement/latest/", api=True
)
def test_placement_has_exactly_the_instances_where_they_run(seen: Views, views: CloudViews) -> None:
    """Each instance has its allocation on its host, nobody else has one; devices fit where Nova reports them there."""
    _shown(views, "allocations")

    require_agreement(seen.claims_against_placement())


@pytest.mark.check(
    "lifecycle.reconciliation.entries",
    rests_on=("control_plane.nova_conf.*",),
    source="https://bugs.launchpad.net/nova/+bug/2115905",
    api=True,
)
def test_every_claimed_card_is_still_one_that_its_host_gives(
    seen: Views, views: CloudViews, hosts: Hosts, cloud: Cloud, deployer: Deployer
) -> None:
    """An entry of device_spec that goes while an instance has the card: Placement refuses, and it cannot be deleted."""
    _shown(views, "devices", "claims")
    for declared in cloud.computes:
        cards = {str(card.address): card for card in (seen.devices or {}).get(declared.name, ())}
        found = configuration(hosts.node(declared), deployer.service("nova-compute"))
        specs = found.conf.device_specs
        taken = [claim for claim in seen.claims or () if claim.host == declared.name and claim.is_taken]
        lost = [
            claim
            for claim in taken
            if claim.address in cards and not any(takes(spec, cards[claim.address]) for spec in specs)
        ]
        require(
            not lost,
            "device-spec-removed-while-in-use",
            f"{declared.name}: no entry takes "
            + ", ".join(f"{claim.address} (instance {claim.instance_id})" for claim in lost),
            file=found.path,
        )
