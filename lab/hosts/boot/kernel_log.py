"""What the kernel writes to its log while it boots, in the words of RHEL's kernels."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from lab.hosts.boot.boot_loader import Kernel
from lab.hosts.hardware.firmware_tables import UNIT_BASES
from lab.hosts.hardware.sysfs import RESERVED_REGION, Function
from lab.hosts.layout import MachineDir

SECONDS_A_LINE = 0.0131
TELLS_DOMAIN_SINCE = (5, 8)
TABLES = {
    "intel": "ACPI: DMAR 000000007b7e7000 00108 (v01 A M I   OEMDMAR 00000001 INTL 00000001)",
    "amd": "ACPI: IVRS 000000007b7e7000 000D0 (v02 A M I   OEMDMAR 00000001 INTL 00000001)",
}


def text(machine: dict[str, Any], kernel: Kernel, build: str, functions: list[Function]) -> str:
    """The whole log since the kernel's first line."""
    lines = [
        f"Linux version {kernel.release} (mockbuild@x86-buildhost) {build}",
        f"Command line: {kernel.cmdline}",
        *_firmware(machine, kernel),
        f"Kernel command line: {kernel.cmdline}",
        *(_pci(function) for function in functions),
        *_default_domain(kernel, functions),
        *_groups(kernel, functions),
        *_gpu_drivers(machine, functions),
    ]
    return "".join(f"[{number * SECONDS_A_LINE:12.6f}] {line}\n" for number, line in enumerate(lines))


def append(directory: MachineDir, line: str) -> None:
    """Let the kernel of a running machine say something now."""
    since_boot_s = time.time() - float((directory.proc / "booted-at").read_text())
    with (directory.proc / "kernel.log").open("a") as stream:
        stream.write(f"[{since_boot_s:12.6f}] {line}\n")


def _firmware(machine: dict[str, Any], kernel: Kernel) -> Iterator[str]:
    firmware, vendor = machine["firmware"], machine["cpu"]["vendor"]
    if firmware["type"] == "uefi":
        yield "efi: EFI v2.40 by American Megatrends"
        yield "secureboot: Secure boot enabled" if firmware.get("secure_boot") else "secureboot: Secure boot disabled"
    if machine["kind"] == "guest":
        return
    if firmware.get("iommu"):
        yield TABLES[vendor]
    if vendor == "intel":
        yield from _dmar(machine, kernel)
    elif firmware.get("iommu") and kernel.asks_for_iommu("amd"):
        yield "AMD-Vi: IOMMU performance counters supported"
        yield "AMD-Vi: Found IOMMU at 0000:00:00.2 cap 0x40"
        yield "AMD-Vi: Interrupt remapping enabled"
        yield (
            "AMD-Vi: Initialized for Passthrough Mode"
            if "iommu=pt" in kernel.arguments
            else "AMD-Vi: Lazy IO/TLB flushing enabled"
        )


def _dmar(machine: dict[str, Any], kernel: Kernel) -> Iterator[str]:
    asked = kernel.asks_for_iommu("intel")
    if asked:  # said when the argument is parsed, even where there is no table
        yield "DMAR: IOMMU enabled"
    if not machine["firmware"].get("iommu"):
        return
    sockets = int(machine["cpu"]["sockets"])
    yield "DMAR: Host address width 46"
    for number, base in enumerate(UNIT_BASES[:sockets]):
        yield f"DMAR: DRHD base: 0x{base:014x} flags: 0x{int(number == sockets - 1)}"
        yield f"DMAR: dmar{number}: reg_base_addr {base:x} ver 1:0 cap 8d2078c106f0466 ecap f020df"
    if any(gpu.get("rmrr") for gpu in machine["gpus"]):
        yield "DMAR: RMRR base: 0x{:014x} end: 0x{:014x}".format(*RESERVED_REGION)
    yield "DMAR: ATSR flags: 0x0"
    if machine["firmware"].get("interrupt_remapping", True):
        yield "DMAR-IR: Queued invalidation will be enabled to support x2apic and Intr-remapping."
        yield "DMAR-IR: Enabled IRQ remapping in x2apic mode"
    if asked:
        yield from (f"DMAR: dmar{number}: Using Queued invalidation" for number in range(sockets))
        yield "DMAR: Intel(R) Virtualization Technology for Directed I/O"


def _pci(function: Function) -> str:
    header = 1 if function.bridge_to is not None else 0
    ids = f"[{function.vendor:04x}:{function.device:04x}]"
    return f"pci {function.address}: {ids} type {header:02x} class 0x{function.class_code:06x}"


def _default_domain(kernel: Kernel, functions: list[Function]) -> Iterator[str]:
    """What DMA of the host's own devices goes through; kernels tell it since 5.8."""
    version = tuple(int(word) for word in re.findall(r"\d+", kernel.release)[:2])
    if version < TELLS_DOMAIN_SINCE or not any(function.group is not None for function in functions):
        return
    if "iommu=pt" in kernel.arguments:
        yield "iommu: Default domain type: Passthrough (set via kernel command line)"
    else:
        yield "iommu: Default domain type: Translated"


def _groups(kernel: Kernel, functions: list[Function]) -> Iterator[str]:
    for function in functions:
        if function.group is None:
            continue
        if kernel.release.startswith("3."):
            yield f"iommu: Adding device {function.address} to group {function.group}"
        else:
            yield f"pci {function.address}: Adding to iommu group {function.group}"


def _gpu_drivers(machine: dict[str, Any], functions: list[Function]) -> Iterator[str]:
    chips = {gpu["address"]: gpu for gpu in machine["gpus"]}
    for function in functions:
        gpu = chips.get(function.address)
        if gpu is None:
            continue
        if function.driver == "nouveau":
            yield f"nouveau {function.address}: enabling device (0140 -> 0142)"
            yield f"nouveau {function.address}: NVIDIA {CHIPS.get(gpu['architecture'], 'unknown chipset')}"
        elif function.driver == "vfio-pci":
            yield f"vfio_pci: add [10de:{gpu['product_id']}[ffff:ffff]] class 0x000000/00000000"


CHIPS = {"pascal": "GP100 (130000a1)", "volta": "GV100 (140000a1)", "turing": "TU104 (164000a1)"}
