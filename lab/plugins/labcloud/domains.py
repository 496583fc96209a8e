"""Domains of an emulated compute host, kept as libvirt keeps them: /etc/libvirt/qemu/NAME.xml on the host's own disk.

virsh of the emulated host reads the same files. What runs is the machine daemon's business; a domain's state here is
what libvirt would know: running, paused, shut off, or shut off with a saved memory image.
"""

import json
import threading
from dataclasses import dataclass
from xml.etree import ElementTree

DEFINITIONS = "/etc/libvirt/qemu"
STATES = "/var/lib/libvirt/qemu"
RUNNING, PAUSED, SHUT_OFF, SAVED = "running", "paused", "shut off", "saved"
HOLDING = (RUNNING, PAUSED)
"""States in which QEMU has its devices open."""
FIRST_GUEST_SLOT = 5
"""Below are what every domain has; lab/hosts/hardware/declaration.py puts the cards there."""


@dataclass(frozen=True)
class Domain:
    """One domain and the host devices of its definition."""

    name: str
    uuid: str
    addresses: tuple
    state: str


class Domains:
    """The domains of one host."""

    def __init__(self, directory):
        self.definitions = directory.path(DEFINITIONS)
        self.states = directory.path(STATES)

    def all(self):
        """Every defined domain; other threads define and undefine some meanwhile."""
        found = [self._read(file) for file in sorted(self.definitions.glob("*.xml"))]
        return [domain for domain in found if domain is not None]

    def find(self, uuid):
        """The domain of an instance; None when it is not defined here."""
        return next((domain for domain in self.all() if domain.uuid == uuid), None)

    def define(self, instance, addresses, state):
        """Write the definition again."""
        self.definitions.mkdir(parents=True, exist_ok=True)
        self.states.mkdir(parents=True, exist_ok=True)
        self._set_state(instance.name, state)
        _write(self.definitions / f"{instance.name}.xml", _xml(instance, addresses))

    def set_state(self, uuid, state):
        """Remember what became of a domain; one that is not there stays so."""
        domain = self.find(uuid)
        if domain is not None:
            self._set_state(domain.name, state)

    def undefine(self, uuid):
        """Forget a domain; absent is fine."""
        domain = self.find(uuid)
        if domain is not None:
            (self.definitions / f"{domain.name}.xml").unlink(missing_ok=True)
            (self.states / f"{domain.name}.json").unlink(missing_ok=True)

    def holder_of(self, address, besides):
        """The domain, other than that of the instance `besides`, which has a device open; None if there is none."""
        holders = [domain for domain in self.all() if address in domain.addresses and domain.state in HOLDING]
        return next((domain for domain in holders if domain.uuid != besides), None)

    def _set_state(self, name, state):
        _write(self.states / f"{name}.json", json.dumps({"state": state}))

    def _read(self, file):
        """The domain of a definition; None when it is gone meanwhile."""
        definition = _text_of(file)
        if definition is None:
            return None
        root = ElementTree.fromstring(definition)  # noqa: S314  the lab wrote it
        state = _text_of(self.states / f"{file.stem}.json")
        return Domain(
            file.stem,
            root.findtext("uuid"),
            tuple(_address(source) for source in root.iterfind("devices/hostdev/source/address")),
            SHUT_OFF if state is None else json.loads(state)["state"],
        )


def _write(file, text):
    """Whole or not at all: others read it while it is written."""
    fresh = file.with_name(f"{file.name}.{threading.get_ident()}")
    fresh.write_text(text)
    fresh.replace(file)


def _text_of(file):
    try:
        return file.read_text()
    except FileNotFoundError:
        return None


def _address(element):
    domain, bus, slot, function = (int(element.get(key), 16) for key in ("domain", "bus", "slot", "function"))
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _xml(instance, addresses):
    """https://libvirt.org/formatdomain.html"""
    root = ElementTree.Element("domain", type="kvm")
    for name, text in (("name", instance.name), ("uuid", instance.uuid)):
        ElementTree.SubElement(root, name).text = text
    ElementTree.SubElement(root, "memory", unit="KiB").text = str(instance.flavor.memory_mb * 1024)
    ElementTree.SubElement(root, "vcpu").text = str(instance.flavor.vcpus)
    devices = ElementTree.SubElement(root, "devices")
    for number, address in enumerate(addresses):
        hostdev = ElementTree.SubElement(devices, "hostdev", mode="subsystem", type="pci", managed="yes")
        ElementTree.SubElement(hostdev, "driver", name="vfio")
        source = ElementTree.SubElement(hostdev, "source")
        domain, bus, rest = address.split(":")
        slot, function = rest.split(".")
        ElementTree.SubElement(
            source, "address", domain=f"0x{domain}", bus=f"0x{bus}", slot=f"0x{slot}", function=f"0x{function}"
        )
        inside = f"0x{FIRST_GUEST_SLOT + number:02x}"
        ElementTree.SubElement(hostdev, "address", type="pci", domain="0x0000", bus="0x00", slot=inside, function="0x0")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
