"""The one form of a PCI address, whatever form a tool prints it in."""

from __future__ import annotations

import re

from access.errors import ParseError

HEXADECIMAL = re.compile(
    r"(?:PCI:)?(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2})(?:\.([0-7]))?", re.ASCII
)
DEVICES_PER_BUS = 32


class PciAddress(str):
    """Domain, bus, device and function as lspci -D and sysfs write them, e.g. `0000:04:00.0`.

    Made from any hexadecimal form: `04:00.0`, `0000:04:00.0`, `00000000:04:00.0` (nvidia-smi), `PCI:0000:04:00`
    (an Xid names no function, which means 0).

    Raises:
        ParseError: it is none.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> PciAddress:
        """Read one of the forms above."""
        match = HEXADECIMAL.fullmatch(text.strip()) if len(text) < 40 else None
        if match is None:
            raise ParseError("PCI address", "not domain, bus, device and function", line=text)
        domain, bus, device, function = (int(part or "0", 16) for part in match.groups())
        return cls.of(domain, bus, device, function)

    @classmethod
    def of(cls, domain: int, bus: int, device: int, function: int = 0) -> PciAddress:
        """From numbers, as deviceQuery prints them (decimal).

        Raises:
            ParseError: a number is out of range.
        """
        if not (
            0 <= domain <= 0xFFFFFFFF and 0 <= bus <= 0xFF and 0 <= device < DEVICES_PER_BUS and 0 <= function <= 7
        ):
            raise ParseError("PCI address", "a number out of range", line=f"{domain}:{bus}:{device}.{function}")
        return str.__new__(cls, f"{domain:04x}:{bus:02x}:{device:02x}.{function}")

    @property
    def domain(self) -> int:
        """The PCI segment, 0 on most machines."""
        return int(self.split(":")[0], 16)

    @property
    def bus(self) -> int:
        """The bus's number."""
        return int(self.split(":")[1], 16)

    @property
    def device(self) -> int:
        """The device's number on its bus."""
        return int(self.split(":")[2].split(".")[0], 16)

    @property
    def function(self) -> int:
        """The function's number, 0 to 7."""
        return int(self[-1])

    @property
    def slot(self) -> str:
        """The address without the function: what all functions of one card share."""
        return self[:-2]
