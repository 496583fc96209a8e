"""What happens between power-on and init: firmware, boot loader, kernel, drivers. Cause first, effect after."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.hosts.boot import boot_loader, kernel_log
from lab.hosts.boot.boot_loader import Kernel
from lab.hosts.boot.drivers import drivers_at_boot, lacks_vfio_backend, module_options
from lab.hosts.hardware import sysfs
from lab.hosts.layout import MachineDir

BUILD_DATE = "#1 SMP Thu Jul 6 19:56:57 EDT 2017"
DRIVER_MODULES = {
    "nouveau": [
        ("nouveau", 1662531, ""),
        ("mxm_wmi", 13021, "nouveau,"),
        ("video", 24538, "nouveau,"),
        ("ttm", 99345, "nouveau,"),
    ],
    "vfio-pci": [
        ("vfio_pci", 41268, ""),
        ("vfio_iommu_type1", 22440, ""),
        ("vfio", 32657, "vfio_iommu_type1,vfio_pci,"),
    ],
}
"""Modules that a GPU driver brings with it: name, size, users."""
LEAST_MEMORY_MB = 256
"""A guest with less does not come as far as init."""
ZEROS = "Live 0x0000000000000000"


class Panic(LabError):
    """The kernel of a guest gave up; its hypervisor goes on as if nothing had happened."""


def boot(directory: MachineDir, machine: dict[str, Any]) -> Kernel:
    """Bring up the kernel's view of the machine: /proc, /sys, the kernel's log.

    Raises:
        LabError: the boot loader finds no kernel.
        Panic: the kernel finds too little memory.
    """
    kernel = boot_loader.load(directory, machine)
    if machine["kind"] == "guest" and int(machine["memory_mb"]) < LEAST_MEMORY_MB:
        raise Panic("Kernel panic - not syncing: Out of memory and no killable processes...")
    drivers = drivers_at_boot(directory, machine, kernel)
    functions = sysfs.functions_of(machine, _has_iommu(machine, kernel), drivers)
    directory.sys.mkdir(parents=True, exist_ok=True)
    sysfs.build(directory.sys, machine, functions)
    _proc(directory, machine, kernel, sorted({name for name in drivers.values() if name}))
    if lacks_vfio_backend(directory, kernel):
        _without_module(directory.proc / "modules", "vfio_iommu_type1")
    sysfs.unprivileged_config(functions, directory.proc / "pci")
    sysfs.write_modules(directory.sys, (directory.proc / "modules").read_text(), module_options(directory, kernel))
    (directory.proc / "kernel.log").write_text(kernel_log.text(machine, kernel, BUILD_DATE, functions))
    return kernel


def _has_iommu(machine: dict[str, Any], kernel: Kernel) -> bool:
    """Neither vendor's without the firmware's table."""
    if machine["kind"] == "guest" or not machine["firmware"].get("iommu"):
        return False
    return kernel.asks_for_iommu(machine["cpu"]["vendor"])


def _proc(directory: MachineDir, machine: dict[str, Any], kernel: Kernel, gpu_drivers: list[str]) -> None:
    proc = directory.proc
    (proc / "driver").mkdir(parents=True, exist_ok=True)
    for leftover in (proc / "driver").iterdir():
        _remove(leftover)
    gcc = "gcc version 4.8.5 20150623 (Red Hat 4.8.5-16) (GCC)"
    version = f"Linux version {kernel.release} (mockbuild@x86-buildhost) ({gcc}) {BUILD_DATE}"
    files = {
        "cmdline": kernel.cmdline,
        "osrelease": kernel.release,
        "uname-version": BUILD_DATE,
        "version": version,
        "boot_id": str(uuid.uuid4()),
        "booted-at": str(time.time()),
        "processors": str(sysfs.cpu_count(machine["cpu"])),
        "modules": "\n".join(_modules(machine, gpu_drivers)),
        "cpuinfo": _cpuinfo(machine["cpu"]),
        "meminfo": _meminfo(int(machine["memory_mb"])),
    }
    for name, text in files.items():
        (proc / name).write_text(text + "\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            _remove(child)
        path.rmdir()
    else:
        path.unlink()


def _modules(machine: dict[str, Any], gpu_drivers: list[str]) -> list[str]:
    common = [("ext4", 584133, ""), ("mbcache", 14958, "ext4,"), ("jbd2", 107478, "ext4,")]
    host = [
        (f"kvm_{machine['cpu']['vendor']}", 174841, ""),
        ("kvm", 578518, f"kvm_{machine['cpu']['vendor']},"),
        ("irqbypass", 13503, "kvm,"),
        ("ixgbe", 291724, ""),
    ]
    guest = [("virtio_net", 28096, ""), ("virtio_blk", 18156, ""), ("cirrus", 24383, ""), ("ttm", 99345, "cirrus,")]
    if machine["kind"] == "guest":
        guest += [("drm_kms_helper", 159169, "cirrus,"), ("drm", 370825, "ttm,drm_kms_helper,cirrus,")]
    rows = common + (guest if machine["kind"] == "guest" else host)
    for name in gpu_drivers:
        rows = [*DRIVER_MODULES[name], *rows]
    return [f"{name} {size} {users.count(',')} {users or '-'} {ZEROS}" for name, size, users in rows]


def _without_module(file: Path, name: str) -> None:
    lines = [line.replace(f"{name},", "") for line in file.read_text().splitlines() if not line.startswith(f"{name} ")]
    file.write_text("\n".join(lines) + "\n")


def _cpuinfo(cpu: dict[str, Any]) -> str:
    vendor = "GenuineIntel" if cpu["vendor"] == "intel" else "AuthenticAMD"
    flags = "fpu vme de pse tsc msr pae mce cx8 apic sep " + ("vmx" if cpu["vendor"] == "intel" else "svm")
    count = sysfs.cpu_count(cpu)
    per_socket = count // int(cpu["sockets"])
    block = (
        "processor\t: {0}\nvendor_id\t: {1}\nmodel name\t: {2}\nphysical id\t: {3}\ncpu cores\t: {4}\nflags\t\t: {5}\n"
    )
    return "\n".join(
        block.format(number, vendor, cpu["model"], number // per_socket, cpu["cores_per_socket"], flags)
        for number in range(count)
    )


def _meminfo(memory_mb: int) -> str:
    total = memory_mb * 1024
    return f"MemTotal:       {total} kB\nMemFree:        {int(total * 0.93)} kB\nMemAvailable:   {int(total * 0.95)} kB"
