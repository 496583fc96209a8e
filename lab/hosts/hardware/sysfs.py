"""The synthetic /sys of a machine: PCI devices with configuration space and link, IOMMU groups, firmware tables."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.hosts.hardware import firmware_tables, pci_config

NVIDIA = 0x10DE
INTEL = 0x8086
AMD = 0x1022
GUEST_BUS = "pci0000:00"
"""QEMU's conventional bus: passed-through cards stand on it, without extended configuration space."""
SPEED = {1: "2.5 GT/s PCIe", 2: "5.0 GT/s PCIe", 3: "8.0 GT/s PCIe", 4: "16.0 GT/s PCIe", 5: "32.0 GT/s PCIe"}
DISPLAY_CLASS = 0x03
RESOURCE_LINES = 13
FIRST_VF = 4
"""Number of the first virtual function on the card's bus (its First VF Offset)."""
RESERVED_REGION = (0x7BA59000, 0x7BA68FFF)
"""Memory that firmware keeps for itself by an RMRR."""
MEMORY_64_PREFETCHABLE, MEMORY_32 = 0x14220C, 0x40200
REGISTERS_BYTES, THIRD_REGION_BYTES = 16 << 20, 32 << 20
ALL_REGIONS_WIDE = ("hopper", "blackwell")
"""Older cards have their registers below 4 GiB."""
RESETS_ITS_FUNCTION = ("hopper", "blackwell")
"""Cards that lspci shows with FLReset+; a Tesla P100 has FLReset- and is reset by its bus."""


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
    vfs: int = 0
    """Virtual functions that are switched on."""
    physical: str | None = None
    """Address of the physical function of a virtual one."""
    acs: bool = True
    """A port that separates what is below it (Access Control Services)."""
    function_level_reset: bool = False
    extra: dict[str, str] = field(default_factory=dict)


def build(root: Path, machine: dict[str, Any], functions: list[Function]) -> None:
    """Make /sys again below `root`. The directory itself stays: a running machine has it mounted."""
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
    _slots(root, functions)
    _firmware(root / "firmware", machine)
    _dmi(root / "class/dmi/id", machine)
    _processors(root / "devices/system", machine)


def unprivileged_config(functions: list[Function], target: Path) -> None:
    """Below `target`, what each function's configuration space is to users other than root."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for function in functions:
        (target / function.address).write_bytes(pci_config.unprivileged(config_space(function)))


def cpu_count(cpu: dict[str, Any]) -> int:
    """Logical processors."""
    return int(cpu["sockets"]) * int(cpu["cores_per_socket"]) * int(cpu.get("threads", 1))


def _processors(root: Path, machine: dict[str, Any]) -> None:
    """Processors and NUMA nodes: a socket is a node, processors are numbered socket by socket."""
    cpu, count = machine["cpu"], cpu_count(machine["cpu"])
    for name in ("possible", "present", "online"):
        _write(root / "cpu" / name, f"0-{count - 1}\n" if count > 1 else "0\n")
    nodes = 1 if machine["kind"] == "guest" else int(cpu["sockets"])
    for node in range(nodes):
        first, last = node * count // nodes, (node + 1) * count // nodes - 1
        _write(root / f"node/node{node}/cpulist", f"{first}-{last}\n")
    _write(root / "node/online", f"0-{nodes - 1}\n" if nodes > 1 else "0\n")


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
        attributes |= {"sriov_totalvfs": str(function.total_vfs), "sriov_numvfs": str(function.vfs)}
    for name, value in attributes.items():
        _write(directory / name, value + "\n")
    _write(directory / "config", config_space(function))
    _write(directory / "resource", _resources(function))
    _link(root / "bus/pci/devices" / function.address, f"../../../devices/{function.parent}/{function.address}")
    if function.physical is not None:
        _link(directory / "physfn", f"../{function.physical}")
    if function.driver:
        bind(root, function.address, function.driver)
    if function.group is not None:
        _link(directory / "iommu_group", f"{up}kernel/iommu_groups/{function.group}")
        member = root / f"kernel/iommu_groups/{function.group}/devices" / function.address
        _link(member, f"../../../../devices/{function.parent}/{function.address}")


def _slots(root: Path, functions: list[Function]) -> None:
    """The slots that the firmware names: one for each card on a port of its own."""
    cards = [item for item in functions if item.class_code >> 16 == DISPLAY_CLASS and item.parent != GUEST_BUS]
    for number, card in enumerate((item for item in cards if item.max_link), start=1):
        _write(root / f"bus/pci/slots/{number}/address", card.address.split(".")[0] + "\n")


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


MODULE_PARAMETERS = {"vfio_iommu_type1": {"allow_unsafe_interrupts": "N", "dma_entry_limit": "65535"}}
"""What the kernel shows of a module's parameters when nobody sets them."""


def write_modules(root: Path, table: str, options: Mapping[str, Mapping[str, str]]) -> None:
    """/sys/module as it follows from the text of /proc/modules: lsmod reads sizes and users there.

    `options` has what modprobe.d and the kernel's arguments set, by module and parameter.
    """
    for line in table.splitlines():
        name, size, _, users, *_ = line.split()
        holders = [user for user in users.strip("-").split(",") if user]
        directory = root / "module" / name
        (directory / "holders").mkdir(parents=True, exist_ok=True)
        for file, text in (("refcnt", str(len(holders))), ("coresize", size), ("initstate", "live")):
            (directory / file).write_text(text + "\n")
        for parameter, value in {**MODULE_PARAMETERS.get(name, {}), **options.get(name, {})}.items():
            _write(directory / "parameters" / parameter, f"{value}\n")
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


def bus_of(address: str) -> int:
    """Number of the bus; a domain may have more than four digits (Intel VMD, some servers of many sockets)."""
    return int(address.split(":")[-2], 16)


def config_space(function: Function) -> bytes:
    """What lspci and drivers read of it."""
    primary = bus_of(function.address)
    return pci_config.encode(
        pci_config.Header(
            function.vendor,
            function.device,
            function.class_code,
            function.revision,
            function.subsystem,
            driven=function.driver is not None,
            bars=function.bars,
            buses=None if function.bridge_to is None else (primary, function.bridge_to),
            link=function.link,
            max_link=function.max_link,
            extended=function.parent != GUEST_BUS,
            total_vfs=function.total_vfs,
            acs=function.acs,
            function_level_reset=function.function_level_reset,
        )
    )


DMI = {
    "host": {
        "bios_vendor": "American Megatrends Inc.",
        "bios_version": "3.1",
        "bios_date": "06/06/2018",
        "sys_vendor": "Supermicro",
        "product_name": "SYS-1028GQ-TR",
    },
    "guest": {
        "bios_vendor": "SeaBIOS",
        "bios_version": "1.10.2-3.el7",
        "bios_date": "04/01/2014",
        "sys_vendor": "Red Hat",
        "product_name": "OpenStack Compute",
    },
}


def _dmi(root: Path, machine: dict[str, Any]) -> None:
    """What the firmware tells of the machine: that of machine.json's `dmi` over the usual."""
    is_guest = machine["kind"] == "guest"
    serial = {} if is_guest else {"product_serial": f"S{zlib.crc32(str(machine.get('name', '')).encode()):010d}"}
    usual = {**DMI["guest" if is_guest else "host"], **serial}
    for name, text in {**usual, **machine.get("dmi", {})}.items():
        _write(root / name, f"{text}\n")


def _firmware(root: Path, machine: dict[str, Any]) -> None:
    firmware, cpu = machine["firmware"], machine["cpu"]
    (root / "acpi/tables").mkdir(parents=True, exist_ok=True)
    if firmware.get("iommu"):
        name = "DMAR" if cpu["vendor"] == "intel" else "IVRS"
        table = firmware_tables.ivrs() if name == "IVRS" else _dmar(machine)
        _write(root / "acpi/tables" / name, table)
        (root / "acpi/tables" / name).chmod(0o400)
    if firmware.get("type") == "uefi":
        (root / "efi" / "efivars").mkdir(parents=True)
        state = 1 if firmware.get("secure_boot") else 0
        _write(root / "efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", bytes((6, 0, 0, 0, state)))


def _dmar(machine: dict[str, Any]) -> bytes:
    reserved = tuple((gpu["address"], *RESERVED_REGION) for gpu in machine["gpus"] if gpu.get("rmrr"))
    remapping = machine["firmware"].get("interrupt_remapping", True)
    return firmware_tables.dmar(int(machine["cpu"]["sockets"]), remapping, reserved)


def functions_of(machine: dict[str, Any], iommu: bool, drivers: dict[str, str | None]) -> list[Function]:
    """PCI functions of a machine. `drivers` gives the driver of each GPU function by address."""
    if machine["kind"] == "guest":
        return [*_guest_board(), *(_gpu(gpu, GUEST_BUS, None, drivers) for gpu in machine["gpus"])]
    groups = iter(range(4096)) if iommu else None
    group = (lambda: next(groups)) if groups else (lambda: None)
    functions = _amd_board(group) if machine["cpu"]["vendor"] == "amd" else _intel_board(group)
    bridge = AMD_ROOT_PORT if machine["cpu"]["vendor"] == "amd" else INTEL_ROOT_PORT
    ports: dict[tuple[str, int], int] = {}
    for gpu in machine["gpus"]:
        functions += _slot(gpu, bridge, ports, group, drivers)
    return functions


INTEL_ROOT_PORT = (INTEL, 0x6F04)
AMD_ROOT_PORT = (AMD, 0x1483)


def _intel_board(group: Any) -> list[Function]:
    bus = "pci0000:00"
    host, chipset = group(), group()  # functions of one device without ACS share a group
    return [
        Function("0000:00:00.0", INTEL, 0x6F00, 0x060000, bus, 1, (INTEL, 0), 0, group=host),
        Function("0000:00:1f.0", INTEL, 0x8D44, 0x060100, bus, 5, (INTEL, 0x7270), 0, "lpc_ich", chipset),
        Function("0000:00:1f.2", INTEL, 0x8D02, 0x010601, bus, 5, (INTEL, 0x7270), 0, "ahci", chipset),
    ]


def _amd_board(group: Any) -> list[Function]:
    bus = "pci0000:00"
    return [
        Function("0000:00:00.0", AMD, 0x1480, 0x060000, bus, 0, (AMD, 0x1480), 0, group=group()),
        Function("0000:00:00.2", AMD, 0x1481, 0x080600, bus, 0, (AMD, 0x1481), 0, group=group()),
        Function("0000:00:14.3", AMD, 0x790E, 0x060100, bus, 0x51, (AMD, 0x790E), 0, group=group()),
    ]


def _slot(
    gpu: dict[str, Any],
    model: tuple[int, int],
    ports: dict[tuple[str, int], int],
    group: Any,
    drivers: dict[str, str | None],
) -> list[Function]:
    """A root port and the card below it. Without ACS at the port all share the port's IOMMU group."""
    bus_number, domain = bus_of(gpu["address"]), gpu["address"].rsplit(":", 2)[0]
    node = int(gpu["numa_node"])
    bus = 0x80 if bus_number >= 0x80 else 0x00
    ports[domain, bus] = ports.get((domain, bus), 1) + 1
    port, root = f"{domain}:{bus:02x}:{ports[domain, bus]:02x}.0", f"pci{domain}:{bus:02x}"
    best = (gpu["max_link"]["generation"], gpu["max_link"]["width"])
    link = (gpu["link"]["generation"], gpu["link"]["width"])
    port_group, acs = group(), bool(gpu.get("acs", True))
    bridge = Function(
        port,
        *model,
        0x060400,
        root,
        1,
        (0, 0),
        node,
        "pcieport",
        port_group,
        link,
        best,
        bridge_to=bus_number,
        acs=acs,
    )
    card_group = group() if acs else port_group
    card = _gpu(gpu, f"{root}/{port}", card_group, drivers)
    functions = [bridge, card, *_virtual_functions(card, group)]
    for companion in gpu.get("companions", ()):  # further functions or strangers in the card's IOMMU group
        functions.append(
            Function(
                companion["address"],
                int(companion["vendor_id"], 16),
                int(companion["product_id"], 16),
                int(str(companion["class"]), 0),
                f"{root}/{port}",
                161,
                (0, 0),
                node,
                companion.get("driver"),
                card_group,
            )
        )
    return functions


def _virtual_functions(card: Function, group: Any) -> list[Function]:
    """Those that are switched on: each at an address and in a group of its own, with the card's ids."""
    bus = card.address.rpartition(":")[0]
    return [
        replace(
            card,
            address=f"{bus}:{number // 8:02x}.{number % 8}",
            driver=None,
            group=group(),
            bars=(),
            total_vfs=None,
            vfs=0,
            physical=card.address,
        )
        for number in range(FIRST_VF, FIRST_VF + card.vfs)
    ]


def card_function(gpu: dict[str, Any]) -> Function:
    """A card by itself, bound to nothing: what a virtual machine is given (lab/metal)."""
    return _gpu(gpu, GUEST_BUS + "/0000:00:02.0", None, {})


def _gpu(gpu: dict[str, Any], parent: str, group: int | None, drivers: dict[str, str | None]) -> Function:
    link = (gpu["link"]["generation"], gpu["link"]["width"])
    return Function(
        gpu["address"],
        NVIDIA,
        int(gpu["product_id"], 16),
        gpu["class"],
        parent,
        gpu["revision"],
        (NVIDIA, int(gpu["subsystem_id"], 16)),
        gpu["numa_node"],
        drivers.get(gpu["address"]),
        group,
        link,
        (gpu["max_link"]["generation"], gpu["max_link"]["width"]),
        _regions(gpu),
        total_vfs=16 if gpu["sriov"] and parent != GUEST_BUS else None,
        vfs=int(gpu.get("vfs", 0)) if gpu["sriov"] and parent != GUEST_BUS else 0,
        function_level_reset=gpu["architecture"] in RESETS_ITS_FUNCTION,
    )


def _regions(gpu: dict[str, Any]) -> tuple[tuple[int, int, int], ...]:
    """Registers, memory and a third region, as lspci -vv shows them of a Tesla P100 and of an H200."""
    number = bus_of(gpu["address"]) or int(gpu["address"].rpartition(":")[2][:2], 16)
    memory = 0x38000000000 + number * (gpu["bar1_bytes"] * 4)
    third = memory + gpu["bar1_bytes"]
    is_wide = gpu["architecture"] in ALL_REGIONS_WIDE
    registers = third + THIRD_REGION_BYTES if is_wide else 0x92000000 + number * REGISTERS_BYTES
    return (
        (registers, REGISTERS_BYTES, MEMORY_64_PREFETCHABLE if is_wide else MEMORY_32),
        (memory, gpu["bar1_bytes"], MEMORY_64_PREFETCHABLE),
        (third, THIRD_REGION_BYTES, MEMORY_64_PREFETCHABLE),
    )


def _guest_board() -> list[Function]:
    bus = GUEST_BUS
    return [
        Function("0000:00:00.0", INTEL, 0x1237, 0x060000, bus, 2, (0x1AF4, 0x1100)),
        Function("0000:00:01.0", INTEL, 0x7000, 0x060100, bus, 0, (0x1AF4, 0x1100)),
        Function("0000:00:01.1", INTEL, 0x7010, 0x010180, bus, 0, (0x1AF4, 0x1100), driver="ata_piix"),
        Function("0000:00:02.0", 0x1013, 0x00B8, 0x030000, bus, 0, (0x1AF4, 0x1100), driver="cirrus"),
        Function("0000:00:03.0", 0x1AF4, 0x1000, 0x020000, bus, 0, (0x1AF4, 0x0001), driver="virtio-pci"),
        Function("0000:00:04.0", 0x1AF4, 0x1001, 0x010000, bus, 0, (0x1AF4, 0x0002), driver="virtio-pci"),
    ]
