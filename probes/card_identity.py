"""Which physical card is meant: its server, slot and address there, its address in an instance, UUID and serial."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from probes.host_inventory import InventoryCard
from probes.libvirt_domains import HostDevice
from probes.pci_address import PciAddress
from probes.pci_devices import PciDevice

NO_SERIAL = re.compile(r"\[?(?:N/A|Not Supported|Unknown Error|0)\]?")
"""What nvidia-smi prints where a card has none or does not tell."""
ADDRESS = re.compile(
    r"(?<![0-9a-f])([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[01][0-9a-fA-F](?:\.[0-7])?)(?![0-9a-f.]|:[0-9a-f])"
)
"""As tools print it; the kernel's messages leave out the function."""
NAMED_DEVICE = re.compile(r"\b(?:device|GPU) (\d{1,3})(?:-(\d{1,3}))?\b")


@dataclass(frozen=True)
class CardIdentity:
    """One physical card; "" is what could not be seen."""

    host: str
    """The server, as the cloud file names it."""
    host_address: str
    """PCI address there."""
    slot: str = ""
    """The slot's name in the server's firmware."""
    instance: str = ""
    """The instance that has it, as the cloud file names it."""
    instance_address: str = ""
    """PCI address in the instance."""
    device: str = ""
    """Its number in the instance's driver and CUDA, in the order of the bus."""
    uuid: str = ""
    serial: str = ""

    @property
    def shown(self) -> str:
        """For people: e.g. GPU 0 of one-card (0000:00:05.0), in compute-7 at 0000:84:00.0, slot 3, serial 0321."""
        number = f"GPU {self.device}" if self.device else "GPU"
        inside = f"{number} of {self.instance} ({self.instance_address})" if self.instance else number
        if self.instance == self.host:  # a machine of its own
            inside = f"{number} of {self.host}"
        server = f"in {self.host or 'an unknown host'}" if self.instance != self.host else ""
        at = f"at {self.host_address}" if self.host_address else "at an address that could not be seen"
        words = [
            " ".join(word for word in (inside, server, at) if word).replace(") in ", "), in "),
            f"slot {self.slot}" if self.slot else "",
            f"serial {self.serial}" if self.serial else "",
            self.uuid,
        ]
        return ", ".join(filter(None, words))

    @property
    def place(self) -> str:
        """In the server: e.g. compute-7, slot 3, 0000:84:00.0"""
        return ", ".join(filter(None, (self.host, f"slot {self.slot}" if self.slot else "", self.host_address)))

    @property
    def is_located(self) -> bool:
        """Whether server and address there are known."""
        return bool(self.host and self.host_address)


def of_host(host: str, devices: Sequence[PciDevice], slots: Mapping[PciAddress, str]) -> tuple[CardIdentity, ...]:
    """The NVIDIA GPUs of a server by their addresses."""
    return tuple(
        CardIdentity(host, str(device.address), slots.get(device.address, ""))
        for device in devices
        if device.is_nvidia_gpu and device.physical_function is None
    )


def of_machine(host: str, cards: Sequence[InventoryCard], slots: Mapping[PciAddress, str]) -> tuple[CardIdentity, ...]:
    """The cards of a machine without instances: what its driver tells is what the server has."""
    found = []
    for number, card in enumerate(_in_bus_order(cards)):
        address = str(PciAddress(card.pci_address))
        slot = slots.get(PciAddress(address), "")
        found.append(CardIdentity(host, address, slot, host, address, str(number), card.uuid, _serial(card)))
    return tuple(found)


def of_instance(
    instance: str,
    cards: Sequence[InventoryCard],
    host: str,
    devices: Sequence[HostDevice],
    slots: Mapping[PciAddress, str],
) -> tuple[CardIdentity, ...]:
    """The cards of an instance, each with its place in the server.

    A host device is found by its address in the instance. Firmware may give other bus numbers than libvirt wrote; then
    both are in the order of the bus. Where their numbers differ, nothing is claimed of any: which is which cannot be
    told, and a wrong card would be exchanged.
    """
    ordered = _in_bus_order(cards)
    places = _places([PciAddress(card.pci_address) for card in ordered], devices)
    found = []
    for number, (card, place) in enumerate(zip(ordered, places, strict=True)):
        address = str(PciAddress(card.pci_address))
        known = CardIdentity(host, "", "", instance, address, str(number), card.uuid, _serial(card))
        if place is not None:
            known = replace(known, host_address=str(place), slot=slots.get(place, ""))
        found.append(known)
    return tuple(found)


def _places(inside: Sequence[PciAddress], devices: Sequence[HostDevice]) -> list[PciAddress | None]:
    """Address in the server of each card of the instance, in the instance's order."""
    if len(devices) != len(inside):
        return [None] * len(inside)
    by_address = {device.guest: device.host for device in devices if device.guest is not None}
    if all(address in by_address for address in inside):
        return [by_address[address] for address in inside]
    if len(devices) > 1 and len(by_address) < len(devices):  # without addresses the order of the file says nothing
        return [None] * len(inside)
    return [device.host for device in sorted(devices, key=lambda device: device.guest or "")]


def _in_bus_order(cards: Sequence[InventoryCard]) -> list[InventoryCard]:
    """CUDA_DEVICE_ORDER=PCI_BUS_ID, as the samples are run.

    Raises:
        ParseError: a card's address is none.
    """
    return sorted(cards, key=lambda card: PciAddress(card.pci_address))


def _serial(card: InventoryCard) -> str:
    return "" if NO_SERIAL.fullmatch(card.serial) else card.serial


def named_in(text: str, cards: Sequence[CardIdentity]) -> tuple[CardIdentity, ...]:
    """The cards that a finding speaks of: by device number, an address, UUID or serial; all where it names none."""
    numbers = {number for match in NAMED_DEVICE.finditer(text) for number in match.groups() if number}
    addresses = {str(PciAddress(found[1])) for found in ADDRESS.finditer(text)}
    named = tuple(
        card
        for card in cards
        if card.device in numbers
        or {card.host_address, card.instance_address} & addresses
        or any(word in text for word in (card.uuid, card.serial) if word)
    )
    return named or tuple(cards)
