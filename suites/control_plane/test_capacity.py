"""Room for the declared instances: free cards, and processors and memory beside them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest, Flavor
from judging.verdicts import require
from probes.openstack import held_cards, placement
from probes.openstack.held_cards import Holder
from provisioning.environment import Guest

ISOLATION = "https://specs.openstack.org/openstack/nova-specs/specs/pike/implemented/reserve-numa-with-pci.html"


def _free_cards(cloud: Cloud, holders: Iterable[Holder]) -> dict[str, int]:
    free = {host.name: host.gpu_count for host in cloud.computes if host.gpus}
    for holder in holders:
        if holder.host in free:
            free[holder.host] -= holder.cards
    return free


def _has_room(admin: Any, host: str, flavor: Flavor) -> bool:
    wanted = {"VCPU": flavor.vcpus, "MEMORY_MB": flavor.memory_mb}
    return all(placement.inventory(admin, host, name).free >= amount for name, amount in wanted.items())


@pytest.mark.check(
    "control_plane.capacity.room",
    rests_on=("control_plane.compute.up", "host.gpu.present", "undercloud.*"),
    source=ISOLATION,
    api=True,
)
def test_a_gpu_host_has_room_for_the_instance(
    made_guest: Guest, declared_guest: DeclaredGuest, cloud: Cloud, admin: Any
) -> None:
    """An instance that is not there yet finds a host with free cards, and with processors and memory left beside them."""  # noqa: E501
    flavor = cloud.flavor(declared_guest.flavor)
    wanted = sum(flavor.aliases.values())
    holders = held_cards.read(admin)
    free = _free_cards(cloud, holders)
    if any(holder.name == cloud.prefixed(declared_guest.name) and holder.host for holder in holders):
        return  # it has its room already

    with_cards = [host for host, cards in free.items() if cards >= wanted]
    others = ", ".join(f"{holder.name} has {holder.cards} on {holder.host}" for holder in holders if holder.host)
    require(
        with_cards,
        "cards-taken",
        f"{flavor.name} needs {wanted} cards on one host, free are {free}; {others}",
    )
    require(
        any(_has_room(admin, host, flavor) for host in with_cards),
        "gpu-hosts-full",
        f"{', '.join(with_cards)} have free cards, and neither {flavor.vcpus} VCPU nor {flavor.memory_mb} MB free "
        "beside them: instances without a card fill the hosts",
    )
