"""Placement agrees with what is there."""

from __future__ import annotations

from typing import Any

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.configuration import Configuration
from judging.verdicts import require
from probes.openstack import placement
from provisioning.environment import Environment

IN_PLACEMENT = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html#pci-tracking-in-placement"


@pytest.mark.check(
    "control_plane.placement.agrees",
    rests_on=("control_plane.compute.up",),
    source="https://docs.openstack.org/placement/latest/",
    api=True,
)
def test_placement_knows_what_the_host_has(
    declared_compute: DeclaredHost, cloud: Cloud, admin: Any, environment: Environment
) -> None:
    """The host's provider offers processors and memory, and, where Nova reports PCI devices, as many cards as declared."""  # noqa: E501
    found = placement.offered(admin, declared_compute.name) or {}

    require(
        found.get("VCPU", 0) > 0 and found.get("MEMORY_MB", 0) > 0,
        "no-resource-provider",
        "Placement has no provider of this host with VCPU and MEMORY_MB",
    )
    for expected in declared_compute.gpus:
        card = cloud.gpu(expected.model)
        cards = found.get(f"CUSTOM_PCI_{card.vendor_id}_{card.product_id}".upper())
        require(
            cards is None or card.device_type == "type-VF" or cards == expected.count,
            "placement-counts-other-cards",
            f"Placement offers {cards} {expected.model} ({card.vendor_id}:{card.product_id}), "
            f"{expected.count} are declared",
        )


@pytest.mark.check(
    "control_plane.placement.consistent", rests_on=("control_plane.nova_conf.*", "undercloud.*"), source=IN_PLACEMENT
)
def test_placement_is_asked_for_cards_only_where_computes_report_them(
    compute: Host,
    declared_compute: DeclaredHost,
    compute_configuration: Configuration,
    scheduling_configuration: Configuration,
    deployer: Deployer,
) -> None:
    """pci_in_placement makes the scheduler ask Placement for cards: every compute must report them there first."""
    asks = scheduling_configuration.conf.is_on("filter_scheduler", "pci_in_placement")
    reports = compute_configuration.conf.is_on("pci", "report_in_placement")

    require(
        not asks or reports or not declared_compute.gpus,
        "placement-asked-before-computes-report",
        "the scheduler asks Placement for PCI devices, this compute does not report its own there",
        report=deployer.settings.report_in_placement,
        ask=deployer.settings.pci_in_placement,
        apply=deployer.settings.how_to_apply,
        file=scheduling_configuration.path,
    )
