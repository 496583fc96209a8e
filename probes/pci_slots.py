"""How the server's firmware names the slot of each PCI device: what is printed beside the slot on the board.

https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-bus-pci (/sys/bus/pci/slots)
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.pci_address import PciAddress
from probes.reading import lines_of

TOOL = "PCI slots"
COMMAND = r"""
for s in /sys/bus/pci/slots/*/address; do
  [ -e "$s" ] || continue
  name=${s%/address}; read -r at <"$s"; echo "slot $at ${name##*/}"
done
for d in /sys/bus/pci/devices/*; do
  [ -e "$d" ] || continue
  case $(cat "$d/class" 2>/dev/null) in 0x03*) echo "path $(readlink -f "$d")";; esac
done; echo end
"""
SLOT = re.compile(r"slot ([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}) (.{1,80})")
PATH = re.compile(r"path /\S{1,400}")
DEVICE = re.compile(r"([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2})\.[0-7]")
QUESTIONS = (Question(COMMAND),)


def parse(text: str) -> Mapping[PciAddress, str]:
    """Slot by address of each graphics device; one whose slot the firmware does not name is left out.

    Raises:
        ParseError: another shape, or a cut-off answer.
    """
    lines = lines_of(TOOL, text)
    if not lines or lines[-1] != "end":
        raise ParseError(TOOL, "the answer is cut off", line=lines[-1] if lines else "")
    slots, paths = {}, []
    for number, line in enumerate(lines[:-1], start=1):
        if slot := SLOT.fullmatch(line):
            slots[slot[1]] = slot[2]
        elif PATH.fullmatch(line):
            paths.append(DEVICE.findall(line))
        else:
            raise ParseError(TOOL, "neither slot nor path", line=line, line_number=number)
    found = {}
    for ways in paths:
        # the slot holds the device itself, or the bridge of a board with several
        nearest = next((slots[place] for place in reversed(ways) if place in slots), None)
        if ways and nearest is not None:
            found[PciAddress(ways[-1])] = nearest
    return found


def read(host: Host) -> Mapping[PciAddress, str]:
    """Slot names of `host`'s graphics devices."""
    return parse(output_of(host, COMMAND).stdout)
