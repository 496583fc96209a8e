"""Image, flavors and the tenant's room."""

from __future__ import annotations

from typing import Any

import pytest

from access.errors import Blocked
from cloud_file.cloud import Cloud
from judging import image_and_flavor
from judging.configuration import Configuration
from judging.notes import Notes
from judging.room import CAUSES_OF_EMPTY_HOSTS, lines, require_room
from judging.verdicts import require
from probes.alias_request import ALIAS
from probes.openstack import images, nova
from provisioning.environment import Environment
from provisioning.host_rooms import HostRooms, request_of

CAPABILITIES = "https://docs.openstack.org/nova/latest/admin/scheduling.html#computecapabilitiesfilter"
IMAGE_PROPERTIES = "https://docs.openstack.org/glance/latest/admin/useful-image-properties.html"
SCHEDULING = "https://docs.openstack.org/nova/latest/admin/scheduling.html"
FLAVORS = "https://docs.openstack.org/nova/latest/user/flavors.html"


def _need(environment: Environment, step: str) -> None:
    if step in environment.failures or (step == "tenant" and not environment.flavor_ids):
        raise Blocked(f"{step}: {'; '.join(environment.failures.values())}")


@pytest.mark.check("image.available", source="https://docs.openstack.org/glance/latest/user/statuses.html", api=True)
def test_the_gpu_image_is_active(admin: Any, environment: Environment) -> None:
    """Glance has the customized image, active: its recipe put kernel-devel of the image's own kernel in."""
    require(
        "image" not in environment.failures,
        "image-not-made",
        environment.failures.get("image", ""),
    )
    if environment.image_id is None:
        raise Blocked(f"image: {'; '.join(environment.failures.values())}")
    found = admin.image.get_image(environment.image_id)

    require(found.status == "active", "image-not-active", f"it is {found.status}")


@pytest.mark.check("flavor.alias", rests_on=("image.available",), source=FLAVORS, api=True)
def test_every_flavor_asks_for_its_cards(admin: Any, cloud: Cloud, environment: Environment) -> None:
    """Each flavor has the extra spec pci_passthrough:alias of the cloud file, and a root disk."""
    _need(environment, "tenant")
    for declared in cloud.flavors:
        found = nova.flavor(admin, environment.flavor_ids[declared.name])
        spec = found.extra_specs.get(ALIAS)
        require(
            spec == declared.pci_alias,
            "flavor-asks-for-no-card" if spec is None else "flavor-asks-for-other-cards",
            f"{found.name}: {ALIAS} is {spec}, declared is {declared.pci_alias}",
            flavor=found.name,
            alias=declared.pci_alias,
        )
        require(
            found.disk_gb > 0,
            "flavor-without-root-disk",
            f"{found.name} has no root disk: Nova refuses it to tenants who boot from an image",
        )


@pytest.mark.check("flavor.extra_specs", rests_on=("flavor.alias",), source=CAPABILITIES, api=True)
def test_no_flavor_has_an_extra_spec_without_scope(admin: Any, cloud: Cloud, environment: Environment) -> None:
    """ComputeCapabilitiesFilter takes an extra spec without a scope for a capability of the host, which none has."""
    _need(environment, "tenant")
    for declared in cloud.flavors:
        found = nova.flavor(admin, environment.flavor_ids[declared.name])
        bare = sorted(key for key in found.extra_specs if ":" not in key)
        require(
            not bare,
            "extra-spec-without-scope",
            f"{found.name} has {', '.join(bare)}: ComputeCapabilitiesFilter leaves no host for it",
            flavor=found.name,
            key=bare[0] if bare else "",
        )


@pytest.mark.check(
    "flavor.fits_the_image", rests_on=("image.available", "flavor.alias"), source=IMAGE_PROPERTIES, api=True
)
def test_every_flavor_goes_with_the_image(admin: Any, cloud: Cloud, environment: Environment) -> None:
    """Disk and memory of each flavor suffice for the image, and both do not ask for different things."""
    _need(environment, "tenant")
    if environment.image_id is None:
        raise Blocked("image.available: there is no image")
    image = images.read(admin, environment.image_id)
    for declared in cloud.flavors:
        found = nova.flavor(admin, environment.flavor_ids[declared.name])
        small = image_and_flavor.too_small(found, image)
        require(
            not small,
            "flavor-smaller-than-the-image",
            "; ".join(small),
            flavor=found.name,
            image=image.name,
        )
        contradictions = image_and_flavor.contradictions(found, image)
        require(
            not contradictions,
            "flavor-contradicts-the-image",
            "; ".join(contradictions),
            flavor=found.name,
            image=image.name,
        )


@pytest.mark.check(
    "flavor.fits_a_host",
    rests_on=(
        "image.available",
        "flavor.alias",
        "flavor.fits_the_image",
        "host.gpu.*",
        "control_plane.alias.api",
        "control_plane.nova_conf.*",
        "control_plane.device_spec.*",
        "control_plane.compute.up",
        "control_plane.container.*",
        "control_plane.placement.*",
    ),
    source=SCHEDULING,
    api=True,
)
def test_every_flavor_finds_a_host_once_the_hosts_are_empty(
    admin: Any,
    cloud: Cloud,
    environment: Environment,
    host_rooms: HostRooms,
    scheduler_view: Configuration | None,
    notes: Notes,
) -> None:
    """Cards, processors, memory, NUMA nodes, traits and aggregates of some GPU host meet what is asked for."""
    _need(environment, "tenant")
    hosts = [host.emptied() for host in host_rooms.read()]
    for declared in cloud.flavors:
        request = request_of(cloud, admin, environment, declared.name, scheduler_view)
        notes.found = lines(hosts, request)
        require_room(
            hosts, request, CAUSES_OF_EMPTY_HOSTS, f"no host could take {request.name}, were all of them empty"
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

    require(
        not public,
        "flavor-public",
        f"every tenant can use {', '.join(public)}, and with it the cards",
    )


@pytest.mark.check("tenant.quota", source="https://docs.openstack.org/nova/latest/admin/quotas.html", api=True)
def test_the_quota_has_room_for_the_declared_instances(admin: Any, cloud: Cloud, environment: Environment) -> None:
    """Cores and memory of the project suffice for all instances of the cloud file together."""
    _need(environment, "tenant")
    limits = nova.quota(admin, str(environment.project_id))
    flavors = [cloud.flavor(guest.flavor) for guest in cloud.guests]
    cores, ram = sum(flavor.vcpus for flavor in flavors), sum(flavor.memory_mb for flavor in flavors)

    require(
        limits.cores == -1 or limits.cores >= cores,
        "quota-too-small",
        f"quota of {limits.cores} cores, {cores} needed",
        option=f"--cores {cores}",
    )
    require(
        limits.ram_mb == -1 or limits.ram_mb >= ram,
        "quota-too-small",
        f"quota of {limits.ram_mb} MB, {ram} needed",
        option=f"--ram {ram}",
    )
    require(
        limits.instances == -1 or limits.instances >= len(cloud.guests),
        "quota-too-small",
        f"quota of {limits.instances} instances, {len(cloud.guests)} needed",
        option=f"--instances {len(cloud.guests)}",
    )


@pytest.mark.check(
    "tenant.roles", source="https://docs.openstack.org/keystone/latest/admin/service-api-protection.html", api=True
)
def test_the_tenant_s_user_has_the_roles_it_needs(
    admin: Any, cloud: Cloud, environment: Environment, request: pytest.FixtureRequest
) -> None:
    """Heat refuses a user who is no member of the project (403), whatever else the user may do."""
    _need(environment, "tenant")
    if cloud.tenant is None:
        raise Blocked("the cloud file describes no tenant")
    if cloud.tenant.existing:  # also by groups and of an application credential; any role may be the right one
        found = nova.own_role_names(request.getfixturevalue("tenant"))
        wanted = set(cloud.tenant.roles) if "roles" in cloud.tenant.model_fields_set else set()
    else:
        found = nova.role_names(admin, str(environment.project_id), cloud.tenant_user)
        wanted = set(cloud.tenant.roles)

    missing = wanted - set(found)
    require(
        not missing,
        "role-missing",
        f"the user has {', '.join(found) or 'no role'} in the project and lacks {', '.join(sorted(missing))}",
        roles=" ".join(sorted(missing)),
    )
