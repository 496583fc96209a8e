"""GRUB: which kernel starts with which arguments, from the one file that this firmware's boot loader reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lab.errors import LabError
from lab.hosts.layout import MachineDir, family

BIOS_GRUB = "/boot/grub2/grub.cfg"
UEFI_GRUB = "/boot/efi/EFI/redhat/grub.cfg"
DEBIAN_GRUB = "/boot/grub/grub.cfg"
DEBIAN_UEFI_GRUB = "/boot/efi/EFI/ubuntu/grub.cfg"
"""Only points to the common file."""
ENTRIES = "/boot/loader/entries"
ENVIRONMENTS = ("/boot/grub2/grubenv", "/boot/efi/EFI/redhat/grubenv", "/boot/grub/grubenv")
MENU_ENTRY = re.compile(r"menuentry\s+['\"](?P<title>[^'\"]*)['\"](?P<body>.*?)\n}", re.S)
LINUX_LINE = re.compile(r"^\s*linux(?:16|efi)?\s+(?P<kernel>\S+)\s*(?P<arguments>.*)$", re.M)
SET = re.compile(r"^\s*set\s+(\w+)=[\"']?(.*?)[\"']?\s*$", re.M)


@dataclass(frozen=True)
class Kernel:
    """What the boot loader started."""

    release: str
    cmdline: str

    @property
    def arguments(self) -> list[str]:
        """Words of the command line."""
        return self.cmdline.split()

    def values(self, *keys: str) -> list[str]:
        """What stands, separated by commas, behind any of the keys: `modprobe.blacklist=a,b` -> a, b.

        To the kernel - and _ are one in a name (kernel/params.c: parameq).
        """
        names = {key.replace("-", "_") for key in keys}
        pairs = (argument.partition("=") for argument in self.arguments)
        return [item for key, _, value in pairs if key.replace("-", "_") in names for item in value.split(",") if item]

    def asks_for_iommu(self, cpu_vendor: str) -> bool:
        """Whether it turns a vendor's IOMMU on: Intel's is off unless asked for, AMD's on unless refused."""
        if "off" in self.values("iommu"):
            return False
        if cpu_vendor == "amd":
            return "off" not in self.values("amd_iommu")
        switches = [value for value in self.values("intel_iommu") if value in ("on", "off")]
        return switches[-1:] == ["on"]


def load(directory: MachineDir, machine: dict[str, Any]) -> Kernel:
    """The kernel that is started.

    Raises:
        LabError: this boot loader finds none; says which file it read.
    """
    if machine.get("appliance_kernel"):
        return Kernel(machine["appliance_kernel"], "panic=1 console=ttyS0 selinux=0")
    text = _configuration(directory, machine)
    kernel = _boot_loader_entry(directory, machine, text) if "blscfg" in text else _menu_entry(directory, machine, text)
    image = directory.path(f"/boot/vmlinuz-{kernel.release}")
    if not image.exists():
        raise LabError(f"{machine['name']} does not boot: error: file `/vmlinuz-{kernel.release}' not found.")
    return kernel


def initramfs_name(machine: dict[str, Any], release: str) -> str:
    """The file that the boot loader gives to a kernel."""
    return f"/boot/initrd.img-{release}" if family(machine) == "debian" else f"/boot/initramfs-{release}.img"


def _configuration(directory: MachineDir, machine: dict[str, Any]) -> str:
    inside = UEFI_GRUB if machine["firmware"]["type"] == "uefi" else BIOS_GRUB
    if family(machine) == "debian":
        inside = DEBIAN_GRUB
    path = directory.path(inside)
    if not path.exists():
        raise LabError(f"{machine['name']} does not boot: its boot loader finds no {inside}")
    text = path.read_text(errors="replace")
    # since RHEL 9 the file on the EFI partition only points to the common one
    if inside == UEFI_GRUB and "configfile" in text and directory.path(BIOS_GRUB).exists():
        return directory.path(BIOS_GRUB).read_text(errors="replace")
    return text


def _environment(directory: MachineDir) -> dict[str, str]:
    for inside in ENVIRONMENTS:
        path = directory.path(inside)
        if path.exists():
            lines = path.read_text(errors="replace").splitlines()
            return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {}


def _menu_entry(directory: MachineDir, machine: dict[str, Any], text: str) -> Kernel:
    entries = [(match["title"], match["body"]) for match in MENU_ENTRY.finditer(text)] or [("", text)]
    saved = _environment(directory).get("saved_entry", "")
    chosen = dict(entries).get(saved) or entries[int(saved) if saved.isdigit() and int(saved) < len(entries) else 0][1]
    match = LINUX_LINE.search(chosen)
    if match is None:
        raise LabError(f"{machine['name']} does not boot: its boot loader's configuration names no kernel")
    release = match["kernel"].rsplit("/", 1)[-1].removeprefix("vmlinuz-")
    return Kernel(release, f"BOOT_IMAGE={match['kernel']} {match['arguments']}".rstrip())


def _boot_loader_entry(directory: MachineDir, machine: dict[str, Any], text: str) -> Kernel:
    """Of the Boot Loader Specification, with the variables that grub.cfg and then grubenv set.

    https://uapi-group.org/specifications/specs/boot_loader_specification/
    """
    variables = dict(SET.findall(text)) | _environment(directory)
    files = sorted(directory.path(ENTRIES).glob("*.conf"), key=lambda path: version_key(path.stem))
    if not files:
        raise LabError(f"{machine['name']} does not boot: no entry in {ENTRIES}")
    saved = [path for path in files if path.stem == variables.get("saved_entry")]
    lines = [line.split(None, 1) for line in (saved or files)[-1].read_text().splitlines()]
    fields = {line[0]: line[1] for line in lines if len(line) == 2}
    options = re.sub(r"\$(\w+)", lambda match: variables.get(match[1], ""), fields.get("options", "")).strip()
    release = fields["linux"].rsplit("/", 1)[-1].removeprefix("vmlinuz-").strip()
    return Kernel(release, f"BOOT_IMAGE=(hd0,gpt2){fields['linux'].strip()} {options}".rstrip())


def version_key(text: str) -> list[tuple[int, int, str]]:
    """Orders versions as rpm does: numbers by value, above letters."""
    words = re.findall(r"\d+|[a-zA-Z]+", text.split("-", 1)[-1])
    return [(1, int(word), "") if word.isdigit() else (0, 0, word) for word in words]
