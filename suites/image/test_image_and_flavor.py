"""Image, flavors and the tenant's room."""

from __future__ import annotations

from typing import Any

import pytest
from record_fixtures import Blocked

from probes.openstack import nova
from provisioning.cloud_file import Cloud
from provisioning.environment import Environment

FLAVORS = "https://docs.openstack.org/nova/latest/user/flavors.html"


def _need(environment: Environment, step: str) -> None:
    if step in environment.failures or (step == "tenant" and not environment.flavor_ids):
        raise Blocked(f"{step}: {'; '.join(environment.failures.values())}")


@pytest.mark.check("image.available", source="https://docs.openstack.org/glance/latest/user/statuses.html", api=True)
def test_the_gpu_image_is_active(admin: Any, environment: Environment) -> None:
    """Glance has the customized image, active: its recipe put kernel-devel of the image's own kernel in."""
    assert "image" not in environment.failures, environment.failures.get("image")
    found = admin.image.get_image(environment.image_id)

    assert found.status == "active", f"the image {found.name} is {found.status}"


@pytest.mark.check("flavor.alias", source=FLAVORS, api=True)
def test_every_flavor_asks_for_its_cards(admin: Any, cloud: Cloud, environment: Environment) -> None:
    """Each flavor has the extra spec pci_passthrough:alias of the cloud file, and a root disk."""
    _need(environment, "tenant")
    for declared in cloud.flavors:
        found = nova.flavor(admin, environment.flavor_ids[declared.name])
        spec = found.extra_specs.get("pci_passthrough:alias")
        assert spec == declared.pci_alias, (
            f"{found.name}: pci_passthrough:alias is {spec}; openstack flavor set {found.name} --property pci_passthrough:alias={declared.pci_alias}"
        )
        assert found.disk_gb > 0, (
            f"{found.name} has no root disk: Nova refuses it to tenants who boot from an image; make it anew with --disk"
        )


@pytest.mark.check("flavor.private", source=FLAVORS, api=True)
def test_no_gpu_flavor_is_public_unless_meant(admin: Any, cloud: Cloud, environment: Environment) -> None:
    """GPU flavors belong to their tenant: a public one gives the cards to everybody."""
    _need(environment, "tenant")
    public = [
        declared.name
        for declared in cloud.flavors
        if nova.flavor(admin, environment.flavor_ids[declared.name]).is_public and not declared.public
    ]

    assert not public, f"public: {public}; make them anew with --private, then openstack flavor set --project"


@pytest.mark.check("tenant.quota", source="https://docs.openstack.org/nova/latest/admin/quotas.html", api=True)
def test_the_quota_has_room_for_the_declared_instances(admin: Any, cloud: Cloud, environment: Environment) -> None:
    """Cores and memory of the project suffice for all instances of the cloud file together."""
    _need(environment, "tenant")
    limits = nova.quota(admin, str(environment.project_id))
    flavors = [cloud.flavor(guest.flavor) for guest in cloud.guests]
    cores, ram = sum(flavor.vcpus for flavor in flavors), sum(flavor.memory_mb for flavor in flavors)

    assert limits.cores == -1 or limits.cores >= cores, (
        f"quota of {limits.cores} cores, {cores} needed; openstack quota set --cores {cores}"
    )
    assert limits.ram_mb == -1 or limits.ram_mb >= ram, (
        f"quota of {limits.ram_mb} MB, {ram} needed; openstack quota set --ram {ram}"
    )
