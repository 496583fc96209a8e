"""lspci -Dnn: PCI devices with names and ids."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.host import Host, output_of
from probes.reading import lines_of
from provisioning.errors import ParseError

ROW = re.compile(
    r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7]) (.+?) \[([0-9a-f]{4})\]: (.+?) \[([0-9a-f]{4}):([0-9a-f]{4})\]"
    r"(?: \(rev ([0-9a-f]{2})\))?(?: \(prog-if [^)]*\))?"
)


@dataclass(frozen=True)
class LspciDevice:
    """One row."""

    address: str
    """With domain, 0000 where lspci leaves it out."""
    class_name: str
    class_id: str
    name: str
    vendor_id: str
    product_id: str

    @property
    def is_nvidia_gpu(self) -> bool:
        """Whether this is a GPU of NVIDIA."""
        return self.vendor_id == "10de" and self.class_id in ("0300", "0302")


def parse(text: str) -> tuple[LspciDevice, ...]:
    """Read `lspci -nn` with or without -D; detail lines of -k are passed over.

    Raises:
        ParseError: empty, or a row of another shape.
    """
    found = []
    for number, line in enumerate(lines_of("lspci", text), start=1):
        if not line.strip() or line[0] in "\t ":
            continue
        match = ROW.fullmatch(line.strip())
        if match is None:
            raise ParseError("lspci", "not a device", line=line, line_number=number)
        domain, bus, device, function, class_name, class_id, name, vendor, product, _ = match.groups()
        address = f"{domain or '0000'}:{bus}:{device}.{function}"
        found.append(LspciDevice(address, class_name, class_id, name, vendor, product))
    return tuple(found)


def read(host: Host) -> tuple[LspciDevice, ...]:
    """PCI devices of `host`."""
    return parse(output_of(host, "lspci -Dnn").stdout)
