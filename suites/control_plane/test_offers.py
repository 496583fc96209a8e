"""What Nova offers is what exists: its own table of devices against the cards of each host."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.sections.hosts import DeclaredHost
from judging.configuration import Configuration
from judging.notes import Notes
from judging.offers import Offers, claims_of_nobody, given_cards, rows_against_devices
from judging.verdicts import require
from probes import pci_devices
from probes.openstack.held_cards import Holder

CLAIMS = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"


@pytest.mark.check(
    "control_plane.offers.exact",
    rests_on=(
        "host.gpu.present",
        "host.gpu.device_type",
        "host.iommu.groups",
        "control_plane.nova_conf.*",
        "control_plane.device_spec.*",
        "control_plane.options.known",
        "control_plane.config.*",
        "control_plane.compute.up",
        "control_plane.container.*",
        "undercloud.*",
    ),
    source=CLAIMS,
)
def test_nova_offers_exactly_the_cards_that_the_host_gives(
    compute: Host,
    declared_compute: DeclaredHost,
    compute_configuration: Configuration,
    nova_offers: Offers,
    cloud: Cloud,
    card_holders: Callable[[], tuple[Holder, ...]],
    notes: Notes,
) -> None:
    """Nova has a row of each card that device_spec gives, as the card is, no other row, and no claim of nobody."""
    devices = pci_devices.read(compute)
    given = given_cards(compute_configuration.conf.device_specs, devices)
    if nova_offers.rows is None:
        notes.found = f"Nova's own table was not compared: {nova_offers.hidden}"
        held = sum(holder.cards for holder in card_holders() if holder.host == declared_compute.name)
        require(
            held <= len(given),
            "more-cards-held-than-given",
            f"instances have {held} cards of {declared_compute.name}, which gives {len(given)}",
        )
        return

    found = [
        *rows_against_devices(declared_compute.name, nova_offers.rows, devices, given),
        *claims_of_nobody(declared_compute.name, nova_offers),
    ]
    notes.found = f"{len(given)} cards, {'; '.join(item.what for item in found) or 'each with its row'}"
    for first in found[:1]:
        require(False, first.cause, "; ".join(item.what for item in found))
