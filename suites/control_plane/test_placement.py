"""Placement agrees with what is there."""

from __future__ import annotations

from typing import Any

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.configuration import Configuration
from judging.offers import providers_against_devices
from judging.verdicts import require
from probes import pci_devices
from probes.openstack import placement
from probes.openstack.placement import Trees
from provisioning.environment import Environment

SHOWN = 8
"""As many names as a message has."""
IN_PLACEMENT = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html#pci-tracking-in-placement"


@pytest.mark.check(
    "control_plane.placement.agrees",
    rests_on=("control_plane.compute.up",),
    source="https://docs.openstack.org/placement/latest/",
    api=True,
)
def test_placement_knows_what_the_host_has(
    declared_compute: DeclaredHost, cloud: Cloud, admin: Any, environment: Environment, placement_trees: Trees
) -> None:
    """The host's provider offers processors and memory, and, where Nova reports cards, as many as declared."""
    known = placement_trees.of(declared_compute.name)
    found = known.totals if known else {}

    is_known = (found.get("VCPU", 0) > 0 or found.get("PCPU", 0) > 0) and found.get("MEMORY_MB", 0) > 0
    require(
        is_known,
        "no-resource-provider",
        f"Placement has no provider of this host with VCPU and MEMORY_MB; it has {'' if is_known else _roots(admin)}",
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


def _roots(admin: Any) -> str:
    """Names of providers that can be hosts, for a host that is called otherwise."""
    names = [name for name in placement.providers(admin) if placement.DEVICE.match(name) is None]
    return ", ".join(sorted(names)[:SHOWN]) or "none at all"


@pytest.mark.check(
    "control_plane.placement.devices",
    rests_on=(
        "host.gpu.present",
        "control_plane.compute.up",
        "control_plane.placement.agrees",
        "control_plane.nova_conf.compute",
        "control_plane.device_spec.*",
        "control_plane.config.compute_in_effect",
    ),
    source=IN_PLACEMENT,
)
def test_placement_has_a_provider_of_each_reported_card(
    compute: Host,
    declared_compute: DeclaredHost,
    compute_configuration: Configuration,
    placement_trees: Trees,
) -> None:
    """Each card that nova-compute reports has a provider of its class with its traits, whatever the class is called; no other device has one."""  # noqa: E501
    devices = pci_devices.read(compute)
    known = placement_trees.of(declared_compute.name)
    reports = compute_configuration.is_on("pci", "report_in_placement")
    providers = known.devices if known else ()

    require(
        reports or not providers,
        "reporting-taken-back",
        f"Placement has devices of {declared_compute.name}, and report_in_placement is off: nova-compute ends on that",
        file=compute_configuration.path,
    )
    found = list(providers_against_devices(providers, compute_configuration.conf.device_specs, devices, reports))
    for first in found[:1]:
        require(False, first.cause, "; ".join(item.what for item in found))


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
    asks = scheduling_configuration.is_on("filter_scheduler", "pci_in_placement")
    reports = compute_configuration.is_on("pci", "report_in_placement")

    require(
        not asks or reports or not declared_compute.gpus,
        "placement-asked-before-computes-report",
        "the scheduler asks Placement for PCI devices, this compute does not report its own there",
        report=deployer.settings.report_in_placement,
        ask=deployer.settings.pci_in_placement,
        apply=deployer.settings.how_to_apply,
        file=scheduling_configuration.path,
    )
