"""Room for the declared instances: a host that could take each of them now, or what speaks against every host."""

from __future__ import annotations

from typing import Any

import pytest

from access.errors import Blocked
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from judging.configuration import Configuration
from judging.notes import Notes
from judging.room import CAUSES, lines, require_room
from probes.openstack import held_cards
from provisioning.environment import Environment, Guest
from provisioning.host_rooms import HostRooms, request_of

ISOLATION = "https://specs.openstack.org/openstack/nova-specs/specs/pike/implemented/reserve-numa-with-pci.html"


@pytest.mark.check(
    "control_plane.capacity.room",
    rests_on=(
        "control_plane.compute.up",
        "control_plane.nova_conf.*",
        "control_plane.device_spec.*",
        "control_plane.alias.api",
        "control_plane.offers.exact",
        "flavor.*",
        "host.gpu.present",
        "undercloud.*",
    ),
    source=ISOLATION,
    api=True,
)
def test_a_gpu_host_has_room_for_the_instance(
    made_guest: Guest,
    declared_guest: DeclaredGuest,
    cloud: Cloud,
    admin: Any,
    environment: Environment,
    host_rooms: HostRooms,
    scheduler_view: Configuration | None,
    notes: Notes,
) -> None:
    """An instance that is not there yet finds a host that is in service, with free cards and all that it asks for beside them."""  # noqa: E501
    name = cloud.prefixed(declared_guest.name)
    holders = held_cards.read(admin)
    if any(holder.name == name and holder.host for holder in holders):
        return  # it has its room already

    if declared_guest.flavor not in environment.flavor_ids:
        raise Blocked(f"tenant: {'; '.join(environment.failures.values()) or 'its flavors were not made'}")
    hosts = host_rooms.read()
    request = request_of(cloud, admin, environment, declared_guest.flavor, scheduler_view)
    notes.found = lines(hosts, request)
    others = ", ".join(f"{holder.name} has {holder.cards} on {holder.host}" for holder in holders if holder.host)
    require_room(hosts, request, CAUSES, f"no host takes {request.name}; {others or 'no instance has cards'}")
