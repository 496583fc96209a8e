"""What Nova offers of a host against what the host has: rows of pci_devices, claims, Placement's providers, sysfs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from access.errors import Blocked, ParseError
from judging.nova_device_specs import class_of, is_reported, taken_by, traits_of
from probes.openstack.pci_claims import PciClaim
from probes.openstack.placement import DeviceProvider
from probes.pci_devices import PciDevice

REMOVED = ("removed", "deleted")
"""Rows of devices that Nova keeps only until their instance is gone."""


@dataclass(frozen=True)
class Offers:
    """Nova's own table, where this cloud shows it."""

    rows: tuple[PciClaim, ...] | None
    """None if it cannot be read."""
    instances: frozenset[str]
    """Ids of every instance that exists."""
    hidden: str
    """Why it cannot be read, and how to allow it."""


@dataclass(frozen=True)
class OfferFinding:
    """One thing that Nova has differently from what there is."""

    cause: str
    what: str


def device_type_of(device: PciDevice) -> str:
    """Nova's name for the kind of a device: type-VF, type-PF for one that can have such functions, type-PCI."""
    if device.physical_function is not None:
        return "type-VF"
    return "type-PCI" if device.total_vfs is None else "type-PF"


def given_cards(specs: Sequence[Mapping[str, Any]], devices: Sequence[PciDevice]) -> tuple[PciDevice, ...]:
    """GPUs of a host that device_spec gives to instances.

    Raises:
        Blocked: Nova refuses an entry, which another check says.
    """
    try:
        return tuple(device for device in devices if device.is_nvidia_gpu and taken_by(specs, device) is not None)
    except ParseError as error:
        raise Blocked(f"control_plane.device_spec.valid: {error}") from error


def rows_against_devices(
    host: str, rows: Sequence[PciClaim], devices: Sequence[PciDevice], given: Sequence[PciDevice]
) -> Iterator[OfferFinding]:
    """Rows of `host` without a device, rows of another one, and given cards without a row; the most telling first."""
    present = {str(device.address): device for device in devices}
    mine = {str(row.address): row for row in rows if row.host == host and row.status not in REMOVED}
    for address, row in mine.items():
        if address not in present:
            yield OfferFinding("stale-row", f"Nova has {address} ({row.status}), which the host has not")
    for address, row in mine.items():
        if address in present and (wrong := _differences(row, present[address])):
            yield OfferFinding("row-of-another-card", f"{address}: {wrong}")
    missing = [str(device.address) for device in given if str(device.address) not in mine]
    if missing:
        known = "" if mine else f"; it has no row of {host} at all, but of {_hosts(rows)}"
        yield OfferFinding(
            "gpu-not-offered", f"device_spec gives {', '.join(missing)} away, and Nova has no row of it{known}"
        )


def _hosts(rows: Sequence[PciClaim]) -> str:
    return ", ".join(sorted({row.host for row in rows})) or "no host"


def _differences(row: PciClaim, device: PciDevice) -> str:
    """What a row says otherwise than the device; kinds and nodes only where both are known."""
    pairs = [
        ("vendor and product", f"{row.vendor_id}:{row.product_id}", f"{device.vendor_id}:{device.product_id}"),
        ("device type", row.device_type or device_type_of(device), device_type_of(device)),
        ("NUMA node", _known(row.numa_node, device.numa_node), _known(device.numa_node, row.numa_node)),
    ]
    told = [
        f"{name} is {there}, Nova has {written}" for name, written, there in pairs if written.lower() != there.lower()
    ]
    return "; ".join(told)


def _known(value: int | None, other: int | None) -> str:
    return "" if value is None or other is None else str(value)


def claims_of_nobody(host: str, offers: Offers) -> Iterator[OfferFinding]:
    """Cards that are claimed for an instance that does not exist."""
    for row in offers.rows or ():
        if row.host == host and row.is_taken and row.instance_id not in offers.instances:
            what = f"{row.address} is {row.status} for {row.instance_id}, which does not exist: nobody gets the card"
            yield OfferFinding("card-stays-claimed", what)


def providers_against_devices(
    providers: Sequence[DeviceProvider], specs: Sequence[Mapping[str, Any]], devices: Sequence[PciDevice], reports: bool
) -> Iterator[OfferFinding]:
    """Providers of devices that a host has in Placement, against the devices that its nova-compute reports there."""
    expected = {
        _provider_address(device): (class_of(spec, device), traits_of(spec))
        for device in devices
        if reports and (spec := taken_by(specs, device)) is not None and is_reported(spec)
    }
    present = {str(device.address): device for device in devices}
    by_address = {provider.address: provider for provider in providers}
    for address, (name, traits) in expected.items():
        provider = by_address.get(address)
        if provider is None:
            if present[address].is_nvidia_gpu:
                yield OfferFinding("card-not-in-placement", f"Placement has no provider of {address} ({name})")
            continue
        if name not in provider.inventories:
            found = ", ".join(provider.inventories) or "nothing"
            yield OfferFinding("card-of-another-class", f"{address} should be {name}, Placement has {found}")
        elif traits - provider.traits:
            lacking = ", ".join(sorted(traits - provider.traits))
            yield OfferFinding("card-of-another-class", f"{address} ({name}) lacks the traits {lacking} in Placement")
    for address, provider in by_address.items():
        if address not in expected and any(item.total for item in provider.inventories.values()):
            there = "device_spec does not give it" if address in present else "the host has no such device"
            yield OfferFinding("placement-counts-other-cards", f"Placement offers {address}, and {there}")


def _provider_address(device: PciDevice) -> str:
    """Virtual functions are part of their card's provider."""
    return str(device.physical_function or device.address)
