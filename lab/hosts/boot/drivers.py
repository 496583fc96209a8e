"""Which driver takes each GPU while a machine boots: first from the initramfs, then from the root file system.

The initramfs has a copy of /etc/modprobe.d and the modules that dracut put in when it was made, so a blacklist that
came later has no effect there until `dracut -f` (man dracut.cmdline, man modprobe.d, man modules-load.d).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from lab.hosts.boot.boot_loader import Kernel, initramfs_name
from lab.hosts.layout import MachineDir

BLACKLIST = re.compile(r"^\s*(?:blacklist\s+(\S+)|install\s+(\S+)\s+/bin/(?:true|false))", re.M)
VFIO_IDS = re.compile(r"^\s*options\s+vfio[-_]pci\s+.*\bids=(\S+)", re.M)
MODULE_OPTIONS = re.compile(r"^\s*options\s+(\S+)\s+(.+)$", re.M)
SOFT_DEPENDENCY = re.compile(r"^\s*softdep\s+nouveau\s+pre:.*\bvfio[-_]pci\b", re.M)


@dataclass(frozen=True)
class Initramfs:
    """What dracut packed."""

    drivers: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    """Loaded before devices are looked for (force_drivers)."""
    modprobe: dict[str, str] = field(default_factory=dict)
    """Text of the packed files of /etc/modprobe.d, by name."""


def read_initramfs(directory: MachineDir, release: str) -> Initramfs:
    """The initramfs of a kernel; empty when there is none or it says nothing."""
    machine = json.loads(directory.machine_file.read_text())
    path = directory.path(initramfs_name(machine, release))
    text = path.read_text(errors="replace") if path.exists() else ""
    if not text.startswith("{"):
        return Initramfs()
    data = json.loads(text)
    return Initramfs(tuple(data["drivers"]), tuple(data["forced"]), dict(data["modprobe"]))


def drivers_at_boot(directory: MachineDir, machine: dict[str, Any], kernel: Kernel) -> dict[str, str | None]:
    """Address of each GPU -> the driver that it is bound to when the machine is up, or None."""
    early, late = read_initramfs(directory, kernel.release), _root_modprobe(directory)
    ids = _vfio_ids(late + "\n".join(early.modprobe.values()), kernel)
    takers = [*_early(early, kernel), *_late(directory, late, kernel)]
    if not machine["os"].get("nouveau", True):
        takers = [driver for driver in takers if driver != "nouveau"]
    return {gpu["address"]: _first_taker(gpu, takers, ids, kernel) for gpu in machine["gpus"]}


def lacks_vfio_backend(directory: MachineDir, kernel: Kernel) -> bool:
    """Whether vfio was loaded from an initramfs without vfio_iommu_type1, which it asks for once, when it is loaded."""
    early = read_initramfs(directory, kernel.release)
    packed = {name.replace("-", "_") for name in (*early.drivers, *early.forced)}
    return "vfio-pci" in _early(early, kernel) and "vfio_iommu_type1" not in packed


def _first_taker(gpu: dict[str, Any], takers: list[str], ids: set[str], kernel: Kernel) -> str | None:
    for driver in takers:
        if driver == "vfio-pci" and f"10de:{gpu['product_id']}" in ids:
            return driver
        if driver == "nouveau" and "nouveau.modeset=0" not in kernel.arguments:
            return driver
    return None


def _early(initramfs: Initramfs, kernel: Kernel) -> list[str]:
    """Drivers of the initramfs in the order in which they get at the devices."""
    text = "\n".join(initramfs.modprobe.values())
    refused = _refused(text).union(kernel.values("rd.driver.blacklist", "modprobe.blacklist", "module_blacklist"))
    before = {name.replace("-", "_") for name in (*initramfs.forced, *kernel.values("rd.driver.pre"))}
    packed = {name.replace("-", "_") for name in (*initramfs.drivers, *initramfs.forced)}
    takers = ["vfio-pci"] if "vfio_pci" in before & packed else []
    if "nouveau" in packed and "nouveau" not in refused:
        takers += ["vfio-pci", "nouveau"] if SOFT_DEPENDENCY.search(text) and "vfio_pci" in packed else ["nouveau"]
    return takers


def _late(directory: MachineDir, modprobe: str, kernel: Kernel) -> list[str]:
    """Drivers of the root file system: modules-load.d comes before udev."""
    refused = _refused(modprobe).union(kernel.values("modprobe.blacklist", "module_blacklist"))
    files = sorted(directory.path("/etc/modules-load.d").glob("*.conf"))
    wanted = {line.strip().replace("-", "_") for path in files for line in path.read_text().splitlines()}
    wanted |= {name.replace("-", "_") for name in kernel.values("modules_load", "modules-load")}
    takers = ["vfio-pci"] if "vfio_pci" in wanted else []
    if "nouveau" not in refused:
        takers += ["vfio-pci", "nouveau"] if SOFT_DEPENDENCY.search(modprobe) else ["nouveau"]
    return takers


def _root_modprobe(directory: MachineDir) -> str:
    files = sorted(directory.path("/etc/modprobe.d").glob("*.conf"))
    return "\n".join(path.read_text(errors="replace") for path in files)


def module_options(directory: MachineDir, kernel: Kernel) -> dict[str, dict[str, str]]:
    """Parameters by module, from modprobe.d and, over it, from the kernel's arguments (man modprobe.d)."""
    found: dict[str, dict[str, str]] = {}
    lines = [*MODULE_OPTIONS.findall(_root_modprobe(directory)), *_module_arguments(kernel)]
    for module, words in lines:
        pairs = [word.partition("=") for word in words.split()]
        found.setdefault(module.replace("-", "_"), {}).update({name: value or "Y" for name, _, value in pairs})
    return found


def _module_arguments(kernel: Kernel) -> list[tuple[str, str]]:
    words = [word.partition(".") for word in kernel.arguments]
    return [(module, rest) for module, dot, rest in words if dot and module.replace("-", "_").isidentifier()]


def _refused(modprobe: str) -> set[str]:
    return {first or second for first, second in BLACKLIST.findall(modprobe)}


def _vfio_ids(modprobe: str, kernel: Kernel) -> set[str]:
    found = {item.lower() for match in VFIO_IDS.findall(modprobe) for item in match.split(",")}
    return found | {item.lower() for item in kernel.values("vfio-pci.ids", "vfio_pci.ids")}
