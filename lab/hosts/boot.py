"""What happens between power-on and init: firmware, boot loader, kernel, drivers. Cause first, effect after."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.hosts import sysfs
from lab.hosts.layout import MachineDir

BIOS_GRUB = "/boot/grub2/grub.cfg"
UEFI_GRUB = "/boot/efi/EFI/redhat/grub.cfg"
LINUX_LINE = re.compile(r"^\s*linux(?:16|efi)?\s+(?P<kernel>\S+)\s*(?P<arguments>.*)$", re.M)
BLACKLIST = re.compile(r"^\s*(?:blacklist\s+(\S+)|install\s+(\S+)\s+/bin/(?:true|false))", re.M)
VFIO_IDS = re.compile(r"^\s*options\s+vfio[-_]pci\s+.*\bids=(\S+)", re.M)
BUILD_DATE = "#1 SMP Thu Jul 6 19:56:57 EDT 2017"
ZEROS = "Live 0x0000000000000000"


@dataclass(frozen=True)
class Kernel:
    """What the boot loader started."""

    release: str
    cmdline: str

    @property
    def arguments(self) -> list[str]:
        """Words of the command line."""
        return self.cmdline.split()


def boot(directory: MachineDir, machine: dict[str, Any]) -> Kernel:
    """Bring up the kernel's view of the machine: /proc, /sys, the kernel's log."""
    kernel = _load(directory, machine)
    iommu = _has_iommu(machine, kernel)
    drivers = _gpu_drivers(directory, machine, kernel)
    directory.sys.mkdir(parents=True, exist_ok=True)
    functions = sysfs.functions_of(machine, iommu, drivers)
    sysfs.build(directory.sys, machine, functions)
    sysfs.unprivileged_config(functions, directory.proc / "pci")
    _proc(directory, machine, kernel, sorted({name for name in drivers.values() if name}))
    sysfs.write_modules(directory.sys, (directory.proc / "modules").read_text())
    log = "\n".join(
        f"[{index * 0.0131:12.6f}] {line}" for index, line in enumerate(_kernel_log(machine, kernel, iommu, drivers))
    )
    (directory.proc / "kernel.log").write_text(log + "\n")
    return kernel


def _load(directory: MachineDir, machine: dict[str, Any]) -> Kernel:
    """The boot loader of this firmware reads its own file, and no other."""
    if machine.get("appliance_kernel"):
        return Kernel(machine["appliance_kernel"], "panic=1 console=ttyS0 selinux=0")
    path = directory.path(UEFI_GRUB if machine["firmware"]["type"] == "uefi" else BIOS_GRUB)
    if not path.exists():
        raise LabError(f"{machine['name']} does not boot: {path} is missing")
    text = path.read_text()
    if "blscfg" in text:
        return _boot_loader_entry(directory, machine)
    match = LINUX_LINE.search(text)
    if match is None:
        raise LabError(f"{machine['name']} does not boot: no kernel in {path}")
    release = match["kernel"].rsplit("/", 1)[-1].removeprefix("vmlinuz-")
    return Kernel(release, f"BOOT_IMAGE={match['kernel']} {match['arguments']}".rstrip())


def _boot_loader_entry(directory: MachineDir, machine: dict[str, Any]) -> Kernel:
    entries = sorted(directory.path("/boot/loader/entries").glob("*.conf"), reverse=True)
    if not entries:
        raise LabError(f"{machine['name']} does not boot: no entry in /boot/loader/entries")
    fields = dict(line.split(None, 1) for line in entries[0].read_text().splitlines() if " " in line)
    environment = directory.path("/boot/grub2/grubenv")
    lines = environment.read_text().splitlines() if environment.exists() else []
    variables = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    options = re.sub(r"\$(\w+)", lambda match: variables.get(match[1], ""), fields.get("options", ""))
    release = fields["version"].strip()
    return Kernel(release, f"BOOT_IMAGE=(hd0,gpt2){fields['linux'].strip()} {options}".rstrip())


def _has_iommu(machine: dict[str, Any], kernel: Kernel) -> bool:
    """Intel's is off unless asked for, AMD's on unless refused; neither without the firmware's table."""
    if not machine["firmware"].get("iommu"):
        return False
    if machine["cpu"]["vendor"] == "amd":
        return "amd_iommu=off" not in kernel.arguments and "iommu=off" not in kernel.arguments
    return "intel_iommu=on" in kernel.arguments and "iommu=off" not in kernel.arguments


def _module_files(directory: MachineDir) -> str:
    texts = [path.read_text(errors="replace") for path in sorted(directory.path("/etc/modprobe.d").glob("*.conf"))]
    return "\n".join(texts)


def blacklisted(directory: MachineDir, kernel_arguments: list[str]) -> set[str]:
    """Modules that are not loaded by themselves."""
    found = {first or second for first, second in BLACKLIST.findall(_module_files(directory))}
    for argument in kernel_arguments:
        key, _, value = argument.partition("=")
        if key in ("modprobe.blacklist", "rd.driver.blacklist", "module_blacklist"):
            found.update(value.split(","))
    return found


def _gpu_drivers(directory: MachineDir, machine: dict[str, Any], kernel: Kernel) -> dict[str, str | None]:
    """The driver that takes each card at boot: vfio-pci by its ids, nvidia where built, nouveau unless kept away."""
    ids = {item for match in VFIO_IDS.findall(_module_files(directory)) for item in match.split(",")}
    for argument in kernel.arguments:
        if argument.startswith("vfio-pci.ids="):
            ids.update(argument.partition("=")[2].split(","))
    refused = blacklisted(directory, kernel.arguments)
    found: dict[str, str | None] = {}
    for gpu in machine["gpus"]:
        if f"10de:{gpu['product_id']}" in ids:
            found[gpu["address"]] = "vfio-pci"
        elif (
            machine["os"].get("nouveau", True)
            and "nouveau" not in refused
            and "nouveau.modeset=0" not in kernel.arguments
        ):
            found[gpu["address"]] = "nouveau"
        else:
            found[gpu["address"]] = None
    return found


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
        ("kvm_intel", 174841, ""),
        ("kvm", 578518, "kvm_intel,"),
        ("irqbypass", 13503, "kvm,"),
        ("ixgbe", 291724, ""),
    ]
    guest = [("virtio_net", 28096, ""), ("virtio_blk", 18156, ""), ("cirrus", 24383, ""), ("ttm", 99345, "cirrus,")]
    if machine["kind"] == "guest":
        guest += [("drm_kms_helper", 159169, "cirrus,"), ("drm", 370825, "ttm,drm_kms_helper,cirrus,")]
    rows = common + (guest if machine["kind"] == "guest" else host)
    for name in gpu_drivers:
        rows.append((name.replace("-", "_"), 1662531 if name == "nouveau" else 41268, ""))
    return [f"{name} {size} {users.count(',')} {users or '-'} {ZEROS}" for name, size, users in rows]


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


def _kernel_log(machine: dict[str, Any], kernel: Kernel, iommu: bool, drivers: dict[str, str | None]) -> list[str]:
    lines = [
        f"Linux version {kernel.release} (mockbuild@x86-buildhost) {BUILD_DATE}",
        f"Command line: {kernel.cmdline}",
    ]
    if machine["kind"] != "guest":
        lines += _iommu_log(machine, kernel, iommu)
    for gpu in machine["gpus"]:
        address, product = gpu["address"], gpu["product_id"]
        lines.append(f"pci {address}: [10de:{product}] type 00 class 0x{gpu['class']:06x}")
        if drivers[address] == "nouveau":
            lines.append(f"nouveau {address}: NVIDIA GP100 (130000a1)")
        elif drivers[address] == "vfio-pci":
            lines.append(f"vfio_pci: add [10de:{product}[ffffffff:ffffffff]] class 0x000000/00000000")
    return lines


def _iommu_log(machine: dict[str, Any], kernel: Kernel, iommu: bool) -> list[str]:
    intel = machine["cpu"]["vendor"] == "intel"
    if not machine["firmware"].get("iommu"):
        return ["DMAR: IOMMU enabled"] if intel and "intel_iommu=on" in kernel.arguments else []
    if not intel:
        return (
            ["AMD-Vi: IOMMU performance counters supported", "AMD-Vi: Found IOMMU at 0000:00:00.2 cap 0x40"]
            if iommu
            else []
        )
    lines = ["ACPI: DMAR 000000007b7e7000 00108 (v01 A M I   OEMDMAR 00000001 INTL 00000001)"]
    if "intel_iommu=on" in kernel.arguments:
        lines.append("DMAR: IOMMU enabled")
    lines += [
        "DMAR: Host address width 46",
        "DMAR: DRHD base: 0x000000fbffc000 flags: 0x0",
        "DMAR: dmar0: reg_base_addr fbffc000 ver 1:0 cap 8d2078c106f0466 ecap f020df",
    ]
    if iommu:
        lines += [
            "DMAR-IR: Enabled IRQ remapping in x2apic mode",
            "DMAR: Intel(R) Virtualization Technology for Directed I/O",
        ]
    return lines
