"""What the firmware tells the kernel about the IOMMU: ACPI table DMAR (Intel), IVRS (AMD) or IORT (Arm)."""

from __future__ import annotations

from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.reading import bounded

COMMAND = "ls /sys/firmware/acpi/tables 2>/dev/null; [ -d /sys/firmware/efi ] && echo UEFI || echo BIOS"
QUESTIONS = (Question(COMMAND),)


@dataclass(frozen=True)
class Firmware:
    """Firmware as the kernel sees it."""

    type: str
    """UEFI or BIOS"""
    acpi_tables: tuple[str, ...]

    @property
    def iommu_table(self) -> str | None:
        """DMAR, IVRS or IORT; None if VT-d, AMD-Vi or the SMMU is switched off in the firmware."""
        return next((name for name in ("DMAR", "IVRS", "IORT") if name in self.acpi_tables), None)


def parse(text: str) -> Firmware:
    """Read the names of COMMAND.

    Raises:
        ParseError: the last line is neither UEFI nor BIOS.
    """
    lines = bounded("ACPI tables", text).split()
    if not lines or lines[-1] not in ("UEFI", "BIOS"):
        raise ParseError("ACPI tables", "the answer is cut off", line=lines[-1] if lines else "")
    return Firmware(lines[-1], tuple(lines[:-1]))


def read(host: Host) -> Firmware:
    """Firmware of `host`."""
    return parse(output_of(host, COMMAND).stdout)
