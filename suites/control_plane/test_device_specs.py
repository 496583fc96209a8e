"""Which devices a compute gives to instances: device_spec, passthrough_whitelist before Zed."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging import nova_device_specs
from judging.configuration import Configuration, takes
from judging.verdicts import require
from probes import nova_device_spec, pci_devices
from probes.openstack.nova_release import Versions
from probes.pci_devices import PciDevice
from probes.references import NVIDIA_VENDOR_ID

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
DEVICE_SPEC = "https://docs.openstack.org/nova/latest/configuration/config.html#pci.device_spec"
IDS = ("vendor_id", "product_id")
LIKENESS = 0.75


@pytest.mark.check(
    "control_plane.device_spec.matches",
    rests_on=(
        "host.gpu.present",
        "control_plane.nova_conf.*",
        "control_plane.options.known",
        "control_plane.device_spec.valid",
        "undercloud.*",
    ),
    source=NOVA_PCI,
)
def test_the_device_spec_matches_the_declared_cards(
    compute: Host,
    declared_compute: DeclaredHost,
    compute_configuration: Configuration,
    deployer: Deployer,
    cloud: Cloud,
) -> None:
    """device_spec (passthrough_whitelist) takes every card that is in the host; a near miss is named."""
    cards = [device for device in pci_devices.read(compute) if device.is_nvidia_gpu]
    specs, path = compute_configuration.conf.device_specs, compute_configuration.path
    if not declared_compute.gpus:
        return

    change = (
        f"set {deployer.settings.device_specs} for the role {declared_compute.role} to the ids of lspci -nn "
        f"and {deployer.settings.how_to_apply}"
    )
    require(specs, "device-spec-missing", "no device is given to instances", change=change, file=path)
    far = [card.address for card in cards if nova_device_spec.is_passed_over(card.address)]
    require(
        not far,
        "card-that-nova-passes-over",
        f"{', '.join(far)} is in a PCI domain of more than four digits",
        file=path,
    )
    left = [card for card in cards if not any(takes(spec, card) for spec in specs)]
    by_id = [card for card in left if any(takes(_ids(spec), card) for spec in specs)]
    require(
        not by_id,
        "device-spec-leaves-a-card-out",
        f"{', '.join(card.address for card in by_id)} fit by id and not by address: {[dict(spec) for spec in specs]}",
        file=path,
    )
    for card in left:
        require(
            False,
            "device-spec-for-another-device",
            f"the host has {NVIDIA_VENDOR_ID}:{card.product_id}, "
            f"allowed are {[_shown(spec) for spec in specs]}{_near(specs, card)}",
            change=change,
            file=path,
        )


def _ids(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key in IDS}


def _shown(spec: dict[str, Any]) -> str:
    return ":".join(str(spec.get(key, "*")) for key in IDS)


def _near(specs: tuple[dict[str, Any], ...], card: PciDevice) -> str:
    """What a typing error looks like."""
    for spec in specs:
        given = str(spec.get("product_id", "*"))
        if difflib.SequenceMatcher(None, given, card.product_id).ratio() >= LIKENESS:
            return f"; is {given!r} a typing error?"
    return ""


@pytest.mark.check(
    "control_plane.device_spec.valid", rests_on=("control_plane.nova_conf.*", "undercloud.*"), source=NOVA_PCI
)
def test_the_device_spec_says_nothing_that_nova_refuses(
    compute: Host,
    declared_compute: DeclaredHost,
    compute_configuration: Configuration,
    nova_versions: Versions,
) -> None:
    """Nova takes every entry as its release does, and managed=no asks for a card that is bound to vfio-pci."""
    devices = pci_devices.read(compute)
    cards = [device for device in devices if device.is_nvidia_gpu]
    specs = compute_configuration.conf.device_specs
    reports = compute_configuration.is_on("pci", "report_in_placement")
    for found in nova_device_specs.findings(specs, devices, nova_versions, reports=reports):
        require(False, found.cause, found.what, file=compute_configuration.path)
    for spec in specs:
        unbound = [card.address for card in cards if not card.is_on_vfio and takes(spec, card)]
        require(
            str(spec.get("managed", "yes")).lower() not in ("no", "false", "0") or not unbound,
            "unmanaged-device-not-bound",
            f"managed is {spec.get('managed')!r}, and {', '.join(unbound)} is not bound to vfio-pci",
            file=compute_configuration.path,
        )


@pytest.mark.check(
    "control_plane.device_spec.narrow", rests_on=("control_plane.device_spec.valid",), source=DEVICE_SPEC
)
def test_the_device_spec_leaves_the_host_its_own_devices(
    compute: Host, declared_compute: DeclaredHost, compute_configuration: Configuration
) -> None:
    """No entry without ids or slot takes what the host itself uses, such as disks: tenants could get them."""
    devices = pci_devices.read(compute)
    for spec in compute_configuration.conf.device_specs:
        taken = nova_device_specs.takes_the_host(spec, devices)
        require(
            not taken,
            "device-spec-takes-the-host",
            f"{dict(spec)} takes {', '.join(taken)}",
            file=compute_configuration.path,
        )
