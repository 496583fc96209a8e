"""One GPU as nvidia-smi -q reports it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from access.errors import ParseError
from probes.nvidia_smi import failures
from probes.pci_address import PciAddress
from probes.reading import WHOLE

TOOL = "nvidia-smi -q"
QUANTITY = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,6})?) ?(x|%|C|W|MHz|MiB|MB|KB/s|mV|us)?")
UNCORRECTABLE = re.compile(r"Uncorrectable|Double Bit")
REASONS = ("Clocks Event Reasons", "Clocks Throttle Reasons")
NO_ACTION = ("None", "none")
FABRIC_IN_ORDER = {
    "State": ("Completed", "Not Supported"),
    "Status": ("Success",),
    "Health/Summary": ("Healthy", "Not Supported"),
    "Health/Bandwidth": ("Full", "Not Supported"),
    "Health/Route Unhealthy": ("False", "No", "Not Supported"),
    "Health/Incorrect Configuration": ("None", "Not Supported"),
}
"""What the fabric of NVSwitches shows in good order, by path below Fabric; a recovery that goes on is not looked at.

https://docs.nvidia.com/deploy/nvidia-smi/ (Fabric)
"""


@dataclass(frozen=True)
class Gpu:
    """One GPU. None for what this driver or card does not report."""

    address: PciAddress
    fields: dict[str, str | None]
    """Every value by its path, e.g. "PCI/GPU Link Info/Link Width/Max": "16x". Of repeated ones the first."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """What stands in place of values that the driver could not read, by path: no failure unless they are used."""

    def text(self, *paths: str) -> str | None:
        """The value at the first of the paths that is there: names differ by driver.

        Raises:
            ToolFailure: the driver could not read it.
        """
        path = next((path for path in paths if path in self.fields), None)
        if path in self.unreadable:
            raise failures.refusal_of(self.unreadable[path], f"{path}: {self.unreadable[path]}")
        return None if path is None else self.fields[path]

    def number(self, *paths: str) -> float | None:
        """As `text`, without its unit.

        Raises:
            ParseError: it is no number.
        """
        text = self.text(*paths)
        if text is None:
            return None
        match = QUANTITY.fullmatch(text)
        if match is None:
            raise ParseError(TOOL, f"{paths[0]} is no quantity", line=text)
        return float(match[1])

    def whole(self, *paths: str) -> int | None:
        """As `number`, where only whole ones make sense."""
        number = self.number(*paths)
        return None if number is None else int(number)

    def flag(self, *paths: str) -> bool | None:
        """Enabled or Yes, Disabled or No.

        Raises:
            ParseError: another word.
        """
        text = self.text(*paths)
        if text is not None and text not in ("Enabled", "Yes", "Disabled", "No"):
            raise ParseError(TOOL, f"{paths[0]} is neither on nor off", line=text)
        return None if text is None else text in ("Enabled", "Yes")

    @property
    def product_name(self) -> str | None:
        """E.g. "Tesla P100-PCIE-16GB"."""
        return self.text("Product Name")

    @property
    def uuid(self) -> str | None:
        """E.g. "GPU-10f35015-e921-bfab-2eb8-4e9b6664d5f1"."""
        return self.text("GPU UUID", "GPU Uuid")

    @property
    def serial(self) -> str | None:
        """Serial number of the board."""
        return self.text("Serial Number")

    @property
    def vbios(self) -> str | None:
        """E.g. "96.00.74.00.0D"."""
        return self.text("VBIOS Version")

    @property
    def product_id(self) -> str | None:
        """Four hexadecimal digits in lower case, e.g. "2330"."""
        text = self.text("PCI/Device Id")
        return None if text is None else text.removeprefix("0x")[:4].lower()

    @property
    def link_generation(self) -> tuple[int | None, int | None]:
        """Now and at most; an idle link runs at generation 1."""
        path = "PCI/GPU Link Info/PCIe Generation"
        return self.whole(f"{path}/Current"), self.whole(f"{path}/Max")

    @property
    def link_generation_now(self) -> int | None:
        """Generation of the link now."""
        return self.whole("PCI/GPU Link Info/PCIe Generation/Current")

    @property
    def link_width_now(self) -> int | None:
        """Lanes of the link now."""
        return self.whole("PCI/GPU Link Info/Link Width/Current")

    @property
    def link_width(self) -> tuple[int | None, int | None]:
        """Lanes now and at most."""
        path = "PCI/GPU Link Info/Link Width"
        return self.whole(f"{path}/Current"), self.whole(f"{path}/Max")

    @property
    def memory_total_mib(self) -> int | None:
        """Memory of the card, less what ECC takes on cards without HBM."""
        return self.whole("FB Memory Usage/Total", "Memory Usage/Total")

    @property
    def memory_used_mib(self) -> int | None:
        """Memory in use."""
        return self.whole("FB Memory Usage/Used", "Memory Usage/Used")

    @property
    def temperature_c(self) -> float | None:
        """Temperature of the GPU."""
        return self.number("Temperature/GPU Current Temp", "Temperature/Gpu")

    @property
    def power_draw_w(self) -> float | None:
        """Power that the GPU takes."""
        return self.number(
            "GPU Power Readings/Power Draw",
            "GPU Power Readings/Instantaneous Power Draw",
            "GPU Power Readings/Average Power Draw",
            "Power Readings/Power Draw",
        )

    @property
    def power_limit_w(self) -> float | None:
        """Power that it may take now."""
        return self.number(
            "GPU Power Readings/GPU Ceiling Power Limit/Current Power Limit",
            "GPU Power Readings/Current Power Limit",
            "Power Readings/Power Limit",
            "GPU Power Readings/Power Limit",
        )

    @property
    def is_persistence_mode_on(self) -> bool | None:
        """Whether the driver keeps the card initialised."""
        return self.flag("Persistence Mode")

    @property
    def is_mig_on(self) -> bool | None:
        """Whether the card is partitioned; None if it cannot be."""
        return self.flag("MIG Mode/Current")

    @property
    def is_ecc_on(self) -> bool | None:
        """Whether memory is protected now."""
        return self.flag("ECC Mode/Current", "Ecc Mode/Current")

    @property
    def is_ecc_pending(self) -> bool | None:
        """Whether memory is protected after the next reset."""
        return self.flag("ECC Mode/Pending", "Ecc Mode/Pending")

    @property
    def uncorrectable_errors(self) -> dict[str, int]:
        """Counters of uncorrectable (or double-bit) memory errors that the driver reports, by path below ECC Errors."""
        names = [path for path in self.fields if path.startswith("ECC Errors/") and UNCORRECTABLE.search(path)]
        counted = {path.removeprefix("ECC Errors/"): self.text(path) for path in names}
        return {path: int(count) for path, count in counted.items() if count is not None and WHOLE.fullmatch(count)}

    @property
    def retired_pages(self) -> tuple[int | None, int | None]:
        """For single-bit and for double-bit errors (before Ampere)."""
        return self.whole("Retired Pages/Single Bit ECC"), self.whole("Retired Pages/Double Bit ECC")

    @property
    def is_retirement_pending(self) -> bool | None:
        """Whether pages (before Ampere) or rows wait for a reset to be replaced."""
        told = [
            self.flag("Retired Pages/Pending Page Blacklist", "Retired Pages/Pending"),
            self.flag("Remapped Rows/Pending"),
        ]
        return None if told == [None, None] else any(told)

    @property
    def remapped_rows(self) -> tuple[int | None, int | None]:
        """For correctable and for uncorrectable errors (Ampere and newer)."""
        return self.whole("Remapped Rows/Correctable Error"), self.whole("Remapped Rows/Uncorrectable Error")

    @property
    def has_remapping_failed(self) -> bool | None:
        """Whether a row could not be replaced: the card is to be exchanged."""
        return self.flag("Remapped Rows/Remapping Failure Occurred")

    @property
    def is_repair_pending(self) -> bool | None:
        """Whether a memory channel or a TPC waits for a reset to be repaired (Hopper and newer)."""
        return self._any("ECC Errors/Channel Repair Pending", "ECC Errors/TPC Repair Pending")

    @property
    def has_worn_out_memory(self) -> bool | None:
        """Whether SRAM had more errors than NVIDIA lets a card have, or memory cannot be repaired."""
        exceeded = [path for path in self.fields if path.endswith("/SRAM Threshold Exceeded")]
        return self._any(*exceeded, "ECC Errors/Unrepairable Memory")

    @property
    def recovery_action(self) -> str | None:
        """What the driver wants to be done with the card, e.g. "Reset", "Reboot", "Drain P2P"; None for nothing."""
        action = self.text("GPU Recovery Action")
        return None if action in NO_ACTION else action

    @property
    def is_reset_required(self) -> bool | None:
        """Whether the driver asks for a reset (530 to 565: newer ones have a recovery action)."""
        return self._any("GPU Reset Status/Reset Required", "GPU Reset Status/Drain and Reset Recommended")

    @property
    def fabric_trouble(self) -> str | None:
        """The first that is not in order of the fabric between the cards, e.g. "State: In Progress"."""
        told = ((path, self.text(f"Fabric/{path}"), good) for path, good in FABRIC_IN_ORDER.items())
        return next((f"{path}: {value}" for path, value, good in told if value is not None and value not in good), None)

    def _any(self, *paths: str) -> bool | None:
        told = [flag for path in paths if (flag := self.flag(path)) is not None]
        return any(told) if told else None

    @property
    def active_throttle_reasons(self) -> tuple[str, ...] | None:
        """What holds the clocks down now, e.g. ("SW Power Cap",)."""
        found = [path for path in self.fields if path.split("/")[0] in REASONS]
        return tuple(path.split("/")[-1] for path in found if self.text(path) == "Active") if found else None
