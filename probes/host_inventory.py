"""What a machine is: kernel, system, firmware, IOMMU, links, GPU driver, CUDA and cards, with what every Linux has."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.reading import lines_of
from probes.references import NVIDIA_VENDOR_ID

FIELDS = ("bios_vendor", "bios_version", "bios_date", "sys_vendor", "product_name", "product_serial")
CARD_FIELDS = "index,name,uuid,serial,pci.bus_id,vbios_version,ecc.mode.current"
TIMEOUT_S = 20
"""A driver that hangs is found by a check of its own."""
_IOMMU_GROUPS = (
    'groups=$(ls /sys/kernel/iommu_groups 2>/dev/null | wc -l); [ "$groups" = 0 ] || echo "iommu_groups=$groups"; '
)
# only widths: an idle card lowers the speed of its link, and that says nothing
_LINKS = (
    "for device in /sys/bus/pci/devices/*; do "
    f"case $(cat $device/vendor $device/class 2>/dev/null | tr -d '\\n') in 0x{NVIDIA_VENDOR_ID}0x030*) "
    "[ ! -e $device/max_link_width ] || "
    'echo "link ${device##*/}=x$(cat $device/current_link_width) of x$(cat $device/max_link_width)";; esac; done; '
)
# the kernel's IPMI driver names the management controller so: drivers/char/ipmi/ipmi_msghandler.c
_BMC = (
    "for file in /sys/devices/platform/ipmi_bmc.*/firmware_revision; do "
    '[ ! -r "$file" ] || echo "bmc_version=$(cat "$file")"; done; '
)
SMI_LIMIT_S = 45
"""A driver that hangs costs the inventory its cards, and not its other facts."""
_CUDA = "echo \"cuda=$(/usr/local/cuda/bin/nvcc --version 2>/dev/null | sed -n 's/.*release \\([0-9.]*\\).*/\\1/p')\"; "
COMMAND = (
    'echo "kernel=$(uname -r)"; echo "system=$(. /etc/os-release 2>/dev/null; echo "$PRETTY_NAME")"; '
    f'for name in {" ".join(FIELDS)}; do echo "$name=$(cat /sys/class/dmi/id/$name 2>/dev/null)"; done; '
    'echo "driver=$(head -n 1 /proc/driver/nvidia/version 2>/dev/null)"; '
    f"{_BMC}{_IOMMU_GROUPS}{_LINKS}{_CUDA}"
    f"if [ -e /proc/driver/nvidia/version ]; then "
    f"timeout {TIMEOUT_S} timeout {SMI_LIMIT_S} nvidia-smi --query-gpu={CARD_FIELDS} --format=csv,noheader "
    "2>/dev/null | sed s/^/card=/; fi; true"
)
_DRIVER_VERSION = re.compile(r"\b(\d{3}\.\d+(?:\.\d+)?)\b")
QUESTIONS = (Question(COMMAND),)


@dataclass(frozen=True)
class InventoryCard:
    """One line of nvidia-smi --query-gpu; all text as the driver prints it."""

    index: str
    name: str
    uuid: str
    serial: str
    pci_address: str
    vbios: str
    ecc: str = ""
    """Enabled, Disabled, or [N/A] of a card that has none; "" where it was not asked"""


@dataclass(frozen=True)
class HostInventory:
    """Facts that are there; absent is left out."""

    facts: dict[str, str]
    cards: tuple[InventoryCard, ...]


def parse(text: str) -> HostInventory:
    """Read NAME=VALUE lines.

    Raises:
        ParseError: a line of another shape, or no kernel among them.
    """
    facts: dict[str, str] = {}
    cards = []
    for number, line in enumerate(lines_of("inventory", text), start=1):
        name, equals, value = line.partition("=")
        if not equals:
            raise ParseError("inventory", "no NAME=VALUE", line=line, line_number=number)
        if name == "card":
            cards += _card(value)
        elif value.strip():
            facts[name] = _driver(value) if name == "driver" else value.strip()
    if "kernel" not in facts:
        raise ParseError("inventory", "uname told no kernel")
    return HostInventory(facts, tuple(cards))


def _driver(line: str) -> str:
    found = _DRIVER_VERSION.search(line)
    return found.group(1) if found else line.strip()


def _card(line: str) -> list[InventoryCard]:
    """No card where nvidia-smi prints a message instead of a row."""
    columns = [column.strip() for column in line.split(",")]
    most = len(CARD_FIELDS.split(","))
    return [InventoryCard(*columns)] if len(columns) in (most - 1, most) and columns[0].isdigit() else []


def read(host: Host) -> HostInventory:
    """The inventory of `host`."""
    return parse(output_of(host, COMMAND).stdout)
