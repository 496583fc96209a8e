"""Four sides of every device of the cloud: sysfs, hypervisor, Nova's claims, Placement. Orphans and double claims."""

from __future__ import annotations

import pytest
from cloud_views import CloudViews
from judging import require_agreement
from lifecycle_fixtures import Cards

from probes.openstack.device_views import Views

CLAIMS = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"


@pytest.fixture
def seen(views: CloudViews, cards: Cards) -> Views:
    """The whole cloud while no test changes it."""
    cards.all()
    return views.read()


def _shown(views: CloudViews, *sides: str) -> None:
    for side in sides:
        if side in views.hidden:
            pytest.skip(f"not verified: {views.hidden[side]}")


@pytest.mark.check("lifecycle.reconciliation.devices", source=CLAIMS, api=True)
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
