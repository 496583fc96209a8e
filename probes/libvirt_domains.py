"""Domains of a compute host and the host devices in their definitions, by virsh."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.pci_address import PciAddress
from probes.reading import LINE_END, bounded

COMMAND = r"""
pid=$(pgrep -o -x 'virtqemud|libvirtd' 2>/dev/null)
space() { readlink "/proc/$1/ns/mnt"; }
program=$(readlink "/proc/${pid:-none}/exe" 2>/dev/null)
case $program in /snap/*) snap=${program#/snap/}; app=/snap/bin/${snap%%/*}.virsh ;; *) app= ;; esac
if [ -n "$pid" ] && [ "$(space "$pid")" != "$(space self)" ]; then kept=yes; else kept=; fi
ask() {
  if [ -n "$app" ] && [ -x "$app" ]; then "$app" "$@"; return; fi
  if [ -n "$kept" ]; then nsenter --target "$pid" --mount --root -- virsh "$@"; return; fi
  if command -v virsh >/dev/null 2>&1; then virsh "$@"; return; fi
  engine=$(command -v podman || command -v docker) || { echo "neither virsh nor a container engine" >&2; return 127; }
  name=$($engine ps --format '{{.Names}}' | grep -E '^nova_(virtqemud|libvirt)$' | head -n 1)
  $engine exec "$name" virsh "$@"
}
list=$(ask --readonly list --all --uuid) || exit 1
for uuid in $list; do
  state=$(ask --readonly domstate "$uuid" 2>/dev/null) || continue
  xml=$(ask --readonly dumpxml "$uuid" 2>/dev/null) || continue
  echo "=== $uuid $state"; echo "$xml"
done; echo "=== end"
"""
"""virsh beside libvirt's own process where that sees other files than the host: in a container, a pod or a snap."""
HEADER = re.compile(r"=== ([0-9a-f-]{36}) (\S.*)")
HOLDING = ("running", "paused", "in shutdown")
QUESTIONS = (Question(COMMAND, as_root=True),)


@dataclass(frozen=True)
class HostDevice:
    """A PCI device of the host in a domain."""

    host: PciAddress
    """Where the host has it."""
    guest: PciAddress | None
    """Where libvirt puts it in the domain; None while that is not decided."""


@dataclass(frozen=True)
class Domain:
    """One domain."""

    uuid: str
    """The instance's id."""
    state: str
    """As virsh domstate says, e.g. "running", "shut off"."""
    devices: tuple[HostDevice, ...]
    """In the order of the definition."""

    @property
    def addresses(self) -> tuple[PciAddress, ...]:
        """On the host, in the order of the definition."""
        return tuple(device.host for device in self.devices)

    @property
    def holds_devices(self) -> bool:
        """Whether QEMU has its devices open now."""
        return self.state in HOLDING


def parse(text: str) -> tuple[Domain, ...]:
    """Read the blocks of COMMAND.

    Raises:
        ParseError: another shape, or a cut-off answer.
    """
    plain = LINE_END.sub("\n", bounded("virsh", text))
    blocks = re.split(r"^(?==== )", plain.strip(), flags=re.M)
    if blocks[-1].strip() != "=== end":
        raise ParseError("virsh", "the answer is cut off", line=text[-200:])
    return tuple(_domain(block) for block in blocks[:-1] if block.strip())


def _domain(block: str) -> Domain:
    first, _, xml = block.partition("\n")
    header = HEADER.fullmatch(first.strip())
    if header is None:
        raise ParseError("virsh", "not a domain", line=first)
    if "<!DOCTYPE" in xml:  # libvirt writes none; entities could grow without bound
        raise ParseError("virsh dumpxml", "a document type", line=first)
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314
    except ElementTree.ParseError as error:
        raise ParseError("virsh dumpxml", str(error), line=first) from error
    return Domain(header[1], header[2], tuple(_devices(root)))


def _devices(domain: ElementTree.Element) -> Iterator[HostDevice]:
    for element in domain.iterfind("devices/hostdev[@type='pci']"):
        source, target = element.find("source/address"), element.find("address[@type='pci']")
        if source is None:
            raise ParseError("virsh dumpxml", "a host device without its address", line=str(element.attrib))
        yield HostDevice(_address(source), None if target is None else _address(target))


def _address(element: ElementTree.Element) -> PciAddress:
    try:
        numbers = [int(str(element.get(key)), 16) for key in ("domain", "bus", "slot", "function")]
    except ValueError:
        raise ParseError("virsh dumpxml", "not a PCI address", line=str(element.attrib)) from None
    return PciAddress.of(*numbers)


def read(host: Host) -> tuple[Domain, ...]:
    """All domains of `host`, defined or running."""
    return parse(output_of(host, COMMAND, as_root=True).stdout)
