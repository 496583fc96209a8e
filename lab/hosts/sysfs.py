"""The synthetic /sys of a machine: PCI devices with configuration space and link, IOMMU groups, firmware tables."""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NVIDIA = 0x10DE
INTEL = 0x8086
SPEED = {1: "2.5 GT/s PCIe", 2: "5.0 GT/s PCIe", 3: "8.0 GT/s PCIe", 4: "16.0 GT/s PCIe", 5: "32.0 GT/s PCIe"}
RESOURCE_LINES = 13
MEMORY_64_PREFETCHABLE, MEMORY_32 = 0x14220C, 0x40200


@dataclass(frozen=True)
class Function:
    """One PCI function as the kernel shows it."""

    address: str
    vendor: int
    device: int
    class_code: int
    parent: str
    """Directory below /sys/devices, e.g. pci0000:00/0000:00:02.0"""
    revision: int = 0
    subsystem: tuple[int, int] = (0, 0)
    numa_node: int = -1
    driver: str | None = None
    group: int | None = None
    link: tuple[int, int] | None = None
    """Generation and width now."""
    max_link: tuple[int, int] | None = None
    bars: tuple[tuple[int, int, int], ...] = ()
    """Base, size, flags."""
    bridge_to: int | None = None
    """Secondary bus number of a bridge."""
    total_vfs: int | None = None
    extra: dict[str, str] = field(default_factory=dict)


def build(root: Path, functions: list[Function], firmware: dict[str, Any], cpu: dict[str, Any]) -> None:
    """Make /sys anew below `root`. The directory itself stays: a running machine has it mounted."""
    for old in root.iterdir():
        shutil.rmtree(old)
    for name in (
        "bus/pci/devices",
        "bus/pci/drivers",
        "module",
        "kernel/iommu_groups",
        "class",
        "firmware/acpi/tables",
        "devices/system/node",
    ):
        (root / name).mkdir(parents=True)
    for function in functions:
        _function(root, function)
    _firmware(root / "firmware", firmware, cpu)
    for node in range(int(cpu["sockets"]) if cpu.get("numa", True) else 1):
        (root / f"devices/system/node/node{node}").mkdir()


def _write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(text)


def _function(root: Path, function: Function) -> None:
    directory = root / "devices" / function.parent / function.address
    up = "../" * (len(Path(function.parent).parts) + 2)
    attributes = {
        "vendor": f"0x{function.vendor:04x}",
        "device": f"0x{function.device:04x}",
        "class": f"0x{function.class_code:06x}",
        "revision": f"0x{function.revision:02x}",
        "subsystem_vendor": f"0x{function.subsystem[0]:04x}",
        "subsystem_device": f"0x{function.subsystem[1]:04x}",
        "numa_node": str(function.numa_node),
        "irq": "16",
        "enable": "1" if function.driver else "0",
        "modalias": _modalias(function),
        "power_state": "D0",
        **function.extra,
    }
    if function.link and function.max_link:
        attributes["current_link_speed"], attributes["current_link_width"] = (
            SPEED[function.link[0]],
            str(function.link[1]),
        )
        attributes["max_link_speed"], attributes["max_link_width"] = (
            SPEED[function.max_link[0]],
            str(function.max_link[1]),
        )
    if function.total_vfs is not None:
        attributes |= {"sriov_totalvfs": str(function.total_vfs), "sriov_numvfs": "0"}
    for name, value in attributes.items():
        _write(directory / name, value + "\n")
    _write(directory / "config", _config_space(function))
    _write(directory / "resource", _resources(function))
    _link(root / "bus/pci/devices" / function.address, f"../../../devices/{function.parent}/{function.address}")
    if function.driver:
        bind(root, function.address, function.driver)
    if function.group is not None:
        _link(directory / "iommu_group", f"{up}kernel/iommu_groups/{function.group}")
        member = root / f"kernel/iommu_groups/{function.group}/devices" / function.address
        _link(member, f"../../../../devices/{function.parent}/{function.address}")


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def bind(root: Path, address: str, driver: str | None) -> None:
    """Make `driver` the driver of a device, or none."""
    device = root / "bus/pci/devices" / address
    old = device / "driver"
    if old.is_symlink():
        (root / "bus/pci/drivers" / old.readlink().name / address).unlink(missing_ok=True)
        old.unlink()
    if driver is None:
        return
    depth = len(device.resolve().relative_to(root.resolve()).parts)
    old.symlink_to("../" * depth + f"bus/pci/drivers/{driver}")
    _link(
        root / "bus/pci/drivers" / driver / address, "../../../../" + str(device.resolve().relative_to(root.resolve()))
    )


def driver_of(root: Path, address: str) -> str | None:
    """Name of the driver that a device is bound to."""
    link = root / "bus/pci/devices" / address / "driver"
    return link.readlink().name if link.is_symlink() else None


def write_modules(root: Path, table: str) -> None:
    """/sys/module as it follows from the text of /proc/modules: lsmod reads sizes and users there."""
    for line in table.splitlines():
        name, size, _, users, *_ = line.split()
        holders = [user for user in users.strip("-").split(",") if user]
        directory = root / "module" / name
        (directory / "holders").mkdir(parents=True, exist_ok=True)
        for file, text in (("refcnt", str(len(holders))), ("coresize", size), ("initstate", "live")):
            (directory / file).write_text(text + "\n")
        for holder in holders:
            _link(directory / "holders" / holder, f"../../{holder}")


def _modalias(function: Function) -> str:
    base, sub, interface = function.class_code >> 16, (function.class_code >> 8) & 255, function.class_code & 255
    ids = f"v{function.vendor:08X}d{function.device:08X}sv{function.subsystem[0]:08X}sd{function.subsystem[1]:08X}"
    return f"pci:{ids}bc{base:02X}sc{sub:02X}i{interface:02X}"


def _resources(function: Function) -> str:
    lines = []
    for base, size, flags in function.bars:
        lines.append(f"0x{base:016x} 0x{base + size - 1:016x} 0x{flags:016x}")
        if flags & 0x100000:  # a 64-bit BAR takes two registers
            lines.append(f"0x{0:016x} 0x{0:016x} 0x{0:016x}")
    lines += [f"0x{0:016x} 0x{0:016x} 0x{0:016x}"] * (RESOURCE_LINES - len(lines))
    return "\n".join(lines) + "\n"


def _config_space(function: Function) -> bytes:
    """The first 256 bytes: header, BARs, power management and PCI Express capability (PCI Express Base 3.0, 7.8)."""
    space = bytearray(256)
    command = 0x0546 if function.driver else 0x0102
    struct.pack_into(
        "<HHHHI",
        space,
        0,
        function.vendor,
        function.device,
        command,
        0x0010,
        (function.class_code << 8) | function.revision,
    )
    space[0x3C], space[0x3D] = 16, 1
    if function.bridge_to is not None:
        space[0x0E] = 1
        space[0x18:0x1B] = bytes((int(function.address[5:7], 16), function.bridge_to, function.bridge_to))
    else:
        struct.pack_into("<HH", space, 0x2C, *function.subsystem)
        _base_addresses(space, function)
    if function.link and function.max_link:
        _express_capability(space, function)
    return bytes(space)


def _base_addresses(space: bytearray, function: Function) -> None:
    offset = 0x10
    for base, _, flags in function.bars:
        wide = bool(flags & 0x100000)
        struct.pack_into("<I", space, offset, (base & 0xFFFFFFF0) | (0xC if wide else 0))
        offset += 4
        if wide:
            struct.pack_into("<I", space, offset, base >> 32)
            offset += 4


def _express_capability(space: bytearray, function: Function) -> None:
    if function.link is None or function.max_link is None:
        return
    space[0x34], space[0x60], space[0x61] = 0x60, 0x01, 0x78
    struct.pack_into("<H", space, 0x62, 3)
    space[0x78] = 0x10
    port_type = 0x42 if function.bridge_to is not None else 0x02
    capability = function.max_link[0] | (function.max_link[1] << 4) | (1 << 22)
    status = function.link[0] | (function.link[1] << 4)
    struct.pack_into("<HIHHIHH", space, 0x7A, port_type, 0x8001, 0x2910, 0, capability, 0x40, status)


def _firmware(root: Path, firmware: dict[str, Any], cpu: dict[str, Any]) -> None:
    if firmware.get("iommu"):
        name = "DMAR" if cpu["vendor"] == "intel" else "IVRS"
        _write(root / "acpi/tables" / name, name.encode() + struct.pack("<I", 48) + bytes(40))
    if firmware.get("type") == "uefi":
        (root / "efi" / "efivars").mkdir(parents=True)
        state = 1 if firmware.get("secure_boot") else 0
        _write(root / "efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", bytes((6, 0, 0, 0, state)))


def functions_of(machine: dict[str, Any], iommu: bool, drivers: dict[str, str | None]) -> list[Function]:
    """PCI functions of a machine. `drivers` gives the driver of each GPU function by address."""
    if machine["kind"] == "guest":
        return [*_guest_board(), *(_gpu(gpu, "pci0000:00", None, drivers) for gpu in machine["gpus"])]
    groups = iter(range(1, 4096)) if iommu else None
    group = (lambda: next(groups)) if groups else (lambda: None)
    functions = [
        Function("0000:00:00.0", INTEL, 0x6F00, 0x060000, "pci0000:00", 1, (INTEL, 0), 0, group=group()),
        Function("0000:00:1f.2", INTEL, 0x8D02, 0x010601, "pci0000:00", 5, (INTEL, 0x7270), 0, "ahci", group()),
    ]
    ports: dict[int, int] = {}
    for gpu in machine["gpus"]:
        functions += _slot(gpu, ports, group, drivers)
    return functions


def _slot(gpu: dict[str, Any], ports: dict[int, int], group: Any, drivers: dict[str, str | None]) -> list[Function]:
    """A root port and the card below it, in IOMMU groups of their own unless the declaration says otherwise."""
    node = int(gpu["numa_node"])
    bus = 0x80 * node
    ports[node] = ports.get(node, 1) + 1
    port = f"0000:{bus:02x}:{ports[node]:02x}.0"
    root = f"pci0000:{bus:02x}"
    best = tuple(gpu["max_link"].values())
    link = (gpu["link"]["generation"], gpu["link"]["width"])
    bridge = Function(
        port,
        INTEL,
        0x6F04,
        0x060400,
        root,
        1,
        (0, 0),
        node,
        "pcieport",
        group(),
        link,
        best,
        bridge_to=int(gpu["address"][5:7], 16),  # type: ignore[arg-type]
    )
    card_group = group()
    functions = [bridge, _gpu(gpu, f"{root}/{port}", card_group, drivers)]
    for companion in gpu.get("companions", ()):  # further functions or strangers in the card's IOMMU group
        functions.append(
            Function(
                companion["address"], int(companion["vendor_id"], 16), int(companion["product_id"], 16), int(companion["class"]),
                f"{root}/{port}", 161, (0, 0), node, companion.get("driver"), card_group,
            )
        )  # fmt: skip
    return functions


def _gpu(gpu: dict[str, Any], parent: str, group: int | None, drivers: dict[str, str | None]) -> Function:
    number = int(gpu["address"][5:7], 16) or int(gpu["address"][8:10], 16)
    bar1 = 0x38000000000 + number * (gpu["bar1_bytes"] * 2)
    link = (gpu["link"]["generation"], gpu["link"]["width"])
    return Function(
        gpu["address"], NVIDIA, int(gpu["product_id"], 16), gpu["class"], parent, gpu["revision"],
        (NVIDIA, int(gpu["subsystem_id"], 16)), gpu["numa_node"], drivers.get(gpu["address"]), group, link,
        (gpu["max_link"]["generation"], gpu["max_link"]["width"]),
        ((0x92000000 + number * 0x1000000, 0x1000000, MEMORY_32), (bar1, gpu["bar1_bytes"], MEMORY_64_PREFETCHABLE)),
        total_vfs=16 if gpu["sriov"] and parent != "pci0000:00" else None,
    )  # fmt: skip


def _guest_board() -> list[Function]:
    bus = "pci0000:00"
    return [
        Function("0000:00:00.0", INTEL, 0x1237, 0x060000, bus, 2, (0x1AF4, 0x1100)),
        Function("0000:00:01.0", INTEL, 0x7000, 0x060100, bus, 0, (0x1AF4, 0x1100)),
        Function("0000:00:01.1", INTEL, 0x7010, 0x010180, bus, 0, (0x1AF4, 0x1100), driver="ata_piix"),
        Function("0000:00:02.0", 0x1013, 0x00B8, 0x030000, bus, 0, (0x1AF4, 0x1100), driver="cirrus"),
        Function("0000:00:03.0", 0x1AF4, 0x1000, 0x020000, bus, 0, (0x1AF4, 0x0001), driver="virtio-pci"),
        Function("0000:00:04.0", 0x1AF4, 0x1001, 0x010000, bus, 0, (0x1AF4, 0x0002), driver="virtio-pci"),
    ]
