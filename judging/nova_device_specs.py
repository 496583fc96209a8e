"""What Nova makes of the entries of [pci] device_spec on one host, release by release.

Read from nova/pci/devspec.py and nova/compute/pci_placement_translator.py of Nova 15 (Ocata) to 34 (2026.2).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from access.errors import ParseError
from judging.nova_aliases import is_on, is_switch
from probes import nova_device_spec
from probes.openstack.nova_release import Versions
from probes.pci_address import PciAddress
from probes.pci_devices import PciDevice
from probes.references import NVIDIA_VENDOR_ID

SWITCHES_SINCE = {"managed": 31, "live_migratable": 31, "one_time_use": 32}
"""Tags that are yes or no, and the version that first read each."""
KEYS = ("vendor_id", "product_id", "address", "devname", "physical_network", "trusted", "remote_managed")
TAGS = (*KEYS, "resource_class", "traits", *SWITCHES_SINCE)
LIKENESS = 0.7
ANY_ADDRESS = ("", "*", "*:*:*.*")
BUSY_CLASSES = {"01": "storage", "02": "network", "06": "bridge", "0c": "USB or serial bus"}
"""Classes of devices that a host needs for itself (https://pci-ids.ucw.cz/read/PD)."""


@dataclass(frozen=True)
class SpecFinding:
    """One thing that is wrong with an entry."""

    cause: str
    """A cause, with the wording of its fix behind a slash where it has several."""
    what: str


def _shown(spec: Mapping[str, Any]) -> str:
    return str(dict(spec))[:300]


def findings(
    specs: Sequence[Mapping[str, Any]], devices: Sequence[PciDevice], versions: Versions, *, reports: bool
) -> list[SpecFinding]:
    """What Nova refuses of the entries of a host with `devices`, then what it passes over.

    `reports` is [pci] report_in_placement of the same file.
    """
    found = [finding for spec in specs for finding in _of_one(spec, versions, reports)]
    if not found and reports:
        found = [*_of_card_and_functions(specs, devices), *_of_functions(specs, devices)]
    if found:
        return found
    return [
        *(finding for spec in specs for finding in _passed_over(spec, versions, reports)),
        *_shadowed(specs, devices),
    ]


def _of_one(spec: Mapping[str, Any], versions: Versions, reports: bool) -> Iterator[SpecFinding]:
    for key in ("vendor_id", "product_id"):
        if key in spec and not isinstance(spec[key], str):
            yield SpecFinding("device-spec-refused", f"{_shown(spec)}: {key} is no text, write it in quotes")
            return
    if spec.get("devname") and spec.get("address"):
        yield SpecFinding("device-spec-contradicts-itself", f"{_shown(spec)} has devname and address")
        return
    try:
        nova_device_spec.takes(spec, PciAddress("0000:00:00.0"), "0000", "0000")
    except ParseError as error:
        yield SpecFinding("device-spec-refused", f"{_shown(spec)}: {error}")
    for tag, since in SWITCHES_SINCE.items():
        if versions.may_have(since) and spec.get(tag) is not None and not is_switch(spec[tag]):
            yield SpecFinding("device-spec-refused/switch", f"{_shown(spec)}: Cannot parse tag {tag!r}: {spec[tag]!r}")
    if spec.get("devname") and reports:
        what = f"{_shown(spec)} has a devname: with report_in_placement nova-compute refuses to start on it"
        yield SpecFinding("devname-in-device-spec", what)
    if is_on(spec.get("one_time_use", "no")) and not reports and versions.may_have(SWITCHES_SINCE["one_time_use"]):
        what = f"{_shown(spec)}: one_time_use=true requires pci.report_in_placement to be enabled"
        yield SpecFinding("device-spec-refused/one_time_use", what)


def taken_by(specs: Sequence[Mapping[str, Any]], device: PciDevice) -> Mapping[str, Any] | None:
    """The entry by which Nova gives a device away: the first that takes it, by its parent's address, too.

    Raises:
        ParseError: Nova refuses an entry.
    """
    addresses = [device.address, *([device.physical_function] if device.physical_function else [])]
    ids = device.vendor_id, device.product_id
    return next(
        (spec for spec in specs for place in addresses if nova_device_spec.takes(spec, PciAddress(place), *ids)), None
    )


def is_reported(spec: Mapping[str, Any]) -> bool:
    """Whether Nova reports devices of an entry to Placement: those of a physical network are Neutron's."""
    return not spec.get("physical_network")


def _in_placement(
    specs: Sequence[Mapping[str, Any]], devices: Sequence[PciDevice]
) -> Iterator[tuple[PciDevice, Mapping[str, Any]]]:
    """Devices that Nova reports there, with their entries: those of a physical network are Neutron's."""
    for device in devices:
        spec = taken_by(specs, device)
        if spec is not None and is_reported(spec):
            yield device, spec


def _of_card_and_functions(specs: Sequence[Mapping[str, Any]], devices: Sequence[PciDevice]) -> Iterator[SpecFinding]:
    taken = dict(_in_placement(specs, devices))
    parents = {device.address for device in taken}
    for device, spec in taken.items():
        if device.physical_function in parents:
            yield SpecFinding(
                "device-spec-refused/dependent",
                f"{device.physical_function} and its virtual function {device.address} are both given away: "
                "PlacementPciDependentDeviceException",
            )
            return
        if device.physical_function and "one_time_use" in spec:
            what = f"{device.address} is a virtual function: one_time_use is for whole devices only"
            yield SpecFinding("device-spec-refused/one_time_use_of_function", what)
            return


def _of_functions(specs: Sequence[Mapping[str, Any]], devices: Sequence[PciDevice]) -> Iterator[SpecFinding]:
    """Virtual functions of one card are one provider of Placement, of one class and with the same traits."""
    kinds: dict[str, set[tuple[str, frozenset[str]]]] = {}
    for device, spec in _in_placement(specs, devices):
        if device.physical_function:
            kinds.setdefault(device.physical_function, set()).add((class_of(spec, device), traits_of(spec)))
    for card, found in kinds.items():
        if len(found) > 1:
            shown = "; ".join(sorted(f"{name} {' '.join(sorted(traits))}".strip() for name, traits in found))
            yield SpecFinding(
                "device-spec-refused/mixed", f"virtual functions of {card} have different classes or traits: {shown}"
            )


def class_of(spec: Mapping[str, Any], device: PciDevice) -> str:
    """The resource class under which Nova reports a device."""
    name = spec.get("resource_class")
    return normalized(str(name)) if name else f"CUSTOM_PCI_{device.vendor_id}_{device.product_id}".upper()


def normalized(name: str) -> str:
    """A name of a class or trait as Nova makes it acceptable for Placement; standard ones stay (os-traits, os-resource-classes)."""  # noqa: E501
    upper = name.strip().upper()
    if upper in STANDARD_CLASSES or upper.startswith(("CUSTOM_", *STANDARD_TRAITS)):
        return upper
    cleaned = "".join(char if char.isascii() and (char.isalnum() or char == "_") else " " for char in upper)
    return f"CUSTOM_{'_'.join(cleaned.split())}"


STANDARD_CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB", "PCI_DEVICE", "VGPU", "PGPU", "FPGA", "PCPU", "SRIOV_NET_VF")
STANDARD_TRAITS = ("HW_", "COMPUTE_", "STORAGE_", "MISC_", "OWNER_")


def traits_of(spec: Mapping[str, Any]) -> frozenset[str]:
    """Traits that an entry gives to its devices."""
    return frozenset(normalized(word) for word in str(spec.get("traits") or "").split(",") if word.strip())


def _passed_over(spec: Mapping[str, Any], versions: Versions, reports: bool) -> Iterator[SpecFinding]:
    for key in spec:
        near = difflib.get_close_matches(key.lower(), TAGS, n=1, cutoff=LIKENESS)
        if key not in TAGS and near:
            what = f"{_shown(spec)}: Nova takes {key!r} for a tag of its own, and the entry takes whatever else fits"
            yield SpecFinding("device-spec-unknown-key", f"{what}; is {near[0]!r} meant?")
    for tag, since in SWITCHES_SINCE.items():
        if tag in spec and not versions.may_have(since):
            yield SpecFinding("device-spec-unknown-key/later", f"{_shown(spec)}: {tag} is read since Nova {since}")
    if reports and spec.get("physical_network") and "resource_class" in spec:
        what = f"{_shown(spec)} has a physical_network: Nova keeps such a device out of Placement, its class is unused"
        yield SpecFinding("device-spec-unknown-key/network", what)


def _shadowed(specs: Sequence[Mapping[str, Any]], devices: Sequence[PciDevice]) -> Iterator[SpecFinding]:
    """Entries that take devices and get none, because Nova uses the first entry that takes a device, with its tags.

    A wider entry behind a narrower one is meant for other hosts with the same configuration.
    """
    for number, spec in enumerate(specs):
        own = [device for device in devices if taken_by([spec], device) is not None]
        earlier = [taken_by(specs[:number], device) for device in own]
        if own and all(other is not None and _tags(other) != _tags(spec) for other in earlier):
            first = next(other for other in earlier if other is not None)
            if not _is_narrower(spec, first):
                continue
            yield SpecFinding("device-spec-shadowed", f"{_shown(spec)} is never used: {_shown(first)} comes before it")


def _is_narrower(spec: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether an entry is for one place of one host, or asks for no more devices than the other."""
    if spec.get("address", "") not in ANY_ADDRESS:
        return True
    return all(other.get(key, "*") in ("*", spec.get(key)) for key in ("vendor_id", "product_id"))


def _tags(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says of its devices beside which they are."""
    return {key: value for key, value in spec.items() if key not in ("vendor_id", "product_id", "address", "devname")}


def takes_the_host(spec: Mapping[str, Any], devices: Sequence[PciDevice]) -> list[str]:
    """Devices of the host's own that an entry gives away, where it names neither an id nor one slot.

    An entry for a NIC or a disk by its ids is meant; one that takes devices of several classes is not.
    """
    if spec.get("physical_network") or (spec.get("vendor_id", "*") != "*" and spec.get("product_id", "*") != "*"):
        return []
    taken = [device for device in devices if taken_by([spec], device) is not None]
    own = [
        device
        for device in taken
        if device.class_code[:2] in BUSY_CLASSES
        and device.driver not in FREE_DRIVERS
        and device.vendor_id != NVIDIA_VENDOR_ID  # further functions of a card, NVSwitches
    ]
    classes = {device.class_code[:2] for device in taken}
    slots = {device.address.rpartition(".")[0] for device in taken}
    if len(classes) < 2 or len(slots) < 2:
        return []
    return [f"{device.address} ({BUSY_CLASSES[device.class_code[:2]]}, {device.driver})" for device in own]


FREE_DRIVERS = (None, "vfio-pci", "pci-stub", "pcieport")
