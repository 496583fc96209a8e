"""The disk that all virtual machines begin with: one partition with Debian, and GRUB as Debian's installer puts it.

GRUB is put there by Debian's own tools in a machine that runs: only there is the disk that they look at.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

from lab.errors import LabError
from lab.metal import debian
from lab.paths import LabPaths

SECTOR_BYTES = 512
FIRST_SECTOR = 2048
SIZE_MIB = 6144
PREPARED = "lab: the disk is ready"
PREPARE_TIMEOUT_S = 1800
ARGUMENTS = "root=/dev/vda1 ro console=ttyS0 net.ifnames=0 lab.prepare"


def image(paths: LabPaths) -> Path:
    """Where the disk lies."""
    return debian.tree(paths).with_name("disk.img")


def build(paths: LabPaths) -> Path:
    """The disk, made when it is missing.

    Raises:
        LabError: a program failed, or the machine that finishes the disk did not.
    """
    target, root = image(paths), debian.build(paths)
    if target.exists():
        return target
    print("making the virtual machines' disk", file=sys.stderr)
    fresh = target.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with fresh.open("wb") as stream:
        stream.write(partition_table(SIZE_MIB))
        stream.truncate(SIZE_MIB << 20)
    size_kib = (SIZE_MIB << 10) - FIRST_SECTOR * SECTOR_BYTES // 1024
    options = ["-q", "-F", "-t", "ext4", "-L", "root", "-d", str(root), "-E", f"offset={FIRST_SECTOR * SECTOR_BYTES}"]
    _run(debian.program(root, "mke2fs", *options, str(fresh), f"{size_kib}k"))
    _prepare(root, fresh)
    fresh.rename(target)
    return target


def partition_table(size_mib: int) -> bytes:
    """A master boot record with one Linux partition, bootable, that goes to the end of the disk."""
    sectors = (size_mib << 20) // SECTOR_BYTES - FIRST_SECTOR
    bootable, no_cylinders, linux = 0x80, b"\xfe\xff\xff", 0x83
    entry = struct.pack("<B3sB3sII", bootable, no_cylinders, linux, no_cylinders, FIRST_SECTOR, sectors)
    return b"\0" * 440 + b"LAB1" + b"\0\0" + entry + b"\0" * 48 + b"\x55\xaa"


def _prepare(root: Path, disk: Path) -> None:
    """Start a machine from the disk with the kernel given, let it install GRUB, and wait until it is off."""
    console = disk.with_suffix(".log")
    kernel, initrd = (next(iter(sorted((root / "boot").glob(f"{name}-*")))) for name in ("vmlinuz", "initrd.img"))
    options = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-smp", "2", "-m", "2048"]
    options += ["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", *firmware(root)]
    options += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", ARGUMENTS]
    options += ["-drive", f"file={disk},if=none,id=disk,format=raw,cache=unsafe"]
    options += ["-device", "virtio-blk-pci,drive=disk"]
    options += ["-device", "virtio-rng-pci", "-serial", f"file:{console}"]
    command = debian.program(root, "qemu-system-x86_64", *options)
    _run(command, debian.environment(root), PREPARE_TIMEOUT_S)
    if PREPARED not in console.read_text(errors="replace"):
        raise LabError(f"the disk could not be made bootable; see {console}")


def firmware(root: Path) -> list[str]:
    """Options of QEMU that name the folders of the tree's firmware."""
    return [word for name in ("qemu", "seabios") for word in ("-L", str(root / "usr/share" / name))]


def make_overlay(paths: LabPaths, target: Path) -> None:
    """A disk of a machine's own that holds only what is different from the common one."""
    root = debian.tree(paths)
    options = ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image(paths)), str(target)]
    _run(debian.program(root, "qemu-img", *options))


def _run(command: list[str], environment: dict[str, str] | None = None, timeout_s: float = 300) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment or dict(os.environ), timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(command[-6:])} did not end within {timeout_s:.0f} s") from None
    if done.returncode:
        raise LabError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")
