"""The files that a machine's disk holds when it is new."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.hosts.boot import kernel_modules
from lab.hosts.boot.boot_loader import (
    BIOS_GRUB,
    DEBIAN_GRUB,
    DEBIAN_UEFI_GRUB,
    ENTRIES,
    UEFI_GRUB,
    initramfs_name,
)
from lab.hosts.layout import OWN_DIRECTORIES, MachineDir, family
from lab.state import SSH_PORT

BASE_ARGUMENTS = "console=tty0 console=ttyS0,115200n8 crashkernel=auto rhgb quiet"
COPIED = (
    "ld.so.conf",
    "ld.so.conf.d",
    "login.defs",
    "default/useradd",
    "cloud",
    "ssl",
    "security",
    "protocols",
    "services",
    "bash.bashrc",
    "profile",
    "skel",
    "debian_version",
)
RELEASE_FILES = {
    "rhel": ("Red Hat Enterprise Linux Server release {version} (Maipo)", "rhel", "Red Hat Enterprise Linux Server"),
    "centos": ("CentOS Linux release {version} (Core)", "centos", "CentOS Linux"),
    "ubuntu": ("Ubuntu {version} LTS", "ubuntu", "Ubuntu"),
    "debian": ("Debian GNU/Linux {version}", "debian", "Debian GNU/Linux"),
}
PAM = (
    "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n"
    "session sufficient pam_permit.so\npassword sufficient pam_permit.so\n"
)
SSHD = """Port {port}
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys
UsePAM yes
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp /usr/lib/openssh/sftp-server
UseDNS no
AcceptEnv LANG LC_*
MaxStartups 100:30:200
MaxSessions 100
PrintMotd no
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""
GROUPS = (
    "root:x:0:\nsudo:x:27:\nwheel:x:10:\nadm:x:4:\nsystemd-journal:x:190:\nssl-cert:x:109:\n"
    "nogroup:x:65534:\nnova:x:162:\n"
)
FIRST_UID = 1000
ROOT_ARGUMENTS = "root=/dev/mapper/rhel-root ro"
DEBIAN_ROOT_ARGUMENTS = "root=/dev/mapper/ubuntu--vg-ubuntu--lv ro"
BLS_INLINE_SINCE = 9


def populate(directory: MachineDir, machine: dict[str, Any], users: dict[str, str]) -> None:
    """Make the disk of a new machine. `users` maps login names to authorized keys; all may use sudo."""
    for name in OWN_DIRECTORIES:
        (directory.fs / name).mkdir(parents=True, exist_ok=True)
    for name in ("usr", ".usr-work"):
        (directory.fs / name).mkdir(exist_ok=True)
    for name in ("log", "tmp", "lib/nova", "lib/cloud", "spool", "run", "cache", "lib/dpkg"):
        (directory.fs / "var" / name).mkdir(parents=True, exist_ok=True)
    of_family = (
        ("etc/initramfs-tools", "boot/grub") if family(machine) == "debian" else ("etc/dracut.conf.d", "boot/grub2")
    )
    for name in ("etc/modprobe.d", "etc/modules-load.d", *of_family):
        (directory.fs / name).mkdir(parents=True, exist_ok=True)
    (directory.fs / "root").chmod(0o700)
    (directory.fs / "var/tmp").chmod(0o1777)
    _copy_from_userland(directory)
    _identity(directory, machine)
    _accounts(directory, users)
    if machine["kind"] != "guest":
        _write(directory, "/etc/modprobe.d/blacklist-nouveau.conf", "blacklist nouveau\noptions nouveau modeset=0\n")
    _boot_files(directory, machine)
    usr = directory.fs / "usr" / "local" / "lib" / "lab"
    usr.mkdir(parents=True, exist_ok=True)
    shutil.copy2(shim(directory), usr / "shim.so")
    if machine["kind"] != "guest":
        shutil.copy2(_compiled(directory, "pause.c", "pause"), usr / "pause")
    _write(directory, "/etc/ld.so.preload", "/usr/local/lib/lab/shim.so\n")


def shim(directory: MachineDir) -> Path:
    """The compiled uname shim, made once for all machines."""
    return _compiled(directory, "shim.c", "shim.so", "-shared", "-fPIC", "-ldl")


def _compiled(directory: MachineDir, source_name: str, name: str, *options: str) -> Path:
    """A C program of the lab, compiled once for all machines."""
    source = Path(__file__).with_name(source_name)
    target = directory.paths.cache / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        fresh = target.with_suffix(f".{os.getpid()}")
        command = ["gcc", "-O2", "-o", str(fresh), str(source), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"the machines' {name} cannot be compiled: {done.stderr.strip()}")
        fresh.replace(target)
    return target


def _write(directory: MachineDir, inside: str, text: str, mode: int = 0o644) -> None:
    path = directory.path(inside)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _copy_from_userland(directory: MachineDir) -> None:
    source, target = directory.paths.userland / "etc", directory.fs / "etc"
    for name in COPIED:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, symlinks=True, dirs_exist_ok=True)
        elif (source / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name, follow_symlinks=False)


def _identity(directory: MachineDir, machine: dict[str, Any]) -> None:
    system = machine["os"]
    line, short, long = RELEASE_FILES.get(system["distribution"], RELEASE_FILES["centos"])
    version = str(system["version"])
    like = "debian" if family(machine) == "debian" else "fedora"
    name = machine["name"]
    files = {
        "/etc/hostname": f"{name}\n",
        "/etc/hosts": (
            "127.0.0.1 localhost localhost.localdomain\n"
            f"{machine['addresses'][0] if machine['addresses'] else '127.0.0.1'} {name}\n"
        ),
        "/etc/os-release": (
            f'NAME="{long}"\nID="{short}"\nVERSION_ID="{version}"\n'
            f'PRETTY_NAME="{line.format(version=version)}"\nID_LIKE="{like}"\n'
        ),
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
        "/etc/resolv.conf": "",
        "/etc/fstab": "",
        "/etc/machine-id": f"{abs(hash(name)):032x}"[:32] + "\n",
        "/etc/ssh/sshd_config": SSHD.format(port=SSH_PORT),
        "/etc/pam.d/sudo": PAM,
        "/etc/pam.d/sshd": PAM,
        "/etc/pam.d/su": PAM,
        "/etc/pam.d/other": PAM,
        "/etc/profile.d/lab.sh": "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
    }
    if family(machine) == "rhel":
        files |= {f"/etc/{kind}-release": line.format(version=version) + "\n" for kind in ("redhat", "system")}
    for path, text in files.items():
        _write(directory, path, text)
    _write(
        directory,
        "/etc/sudoers",
        "Defaults !requiretty\nroot ALL=(ALL) ALL\n%wheel ALL=(ALL) NOPASSWD:ALL\n#includedir /etc/sudoers.d\n",
        0o440,
    )
    directory.path("/etc/sudoers.d").mkdir(exist_ok=True, mode=0o750)
    key = directory.path("/etc/ssh/ssh_host_ed25519_key")
    if machine["kind"] != "guest" and not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)


def _accounts(directory: MachineDir, users: dict[str, str]) -> None:
    passwd = [
        "root:x:0:0:root:/root:/bin/bash",
        "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin",
        "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin",
        "nova:x:162:162::/var/lib/nova:/usr/sbin/nologin",
    ]
    shadow, groups = ["root:*:17000:0:99999:7:::", "sshd:*:17000::::::", "nobody:*:17000::::::"], [GROUPS.rstrip("\n")]
    for number, name in enumerate(sorted(set(users) - {"root"})):
        uid = FIRST_UID + number
        passwd.append(f"{name}:x:{uid}:{uid}::/home/{name}:/bin/bash")
        shadow.append(f"{name}:*:17000:0:99999:7:::")
        groups.append(f"{name}:x:{uid}:")
        _home(directory, name, uid, users[name])
    if "root" in users:
        _authorize(directory.fs / "root", users["root"])
    _write(directory, "/etc/passwd", "\n".join(passwd) + "\n")
    _write(directory, "/etc/shadow", "\n".join(shadow) + "\n", 0o600)
    _write(directory, "/etc/group", "\n".join(groups) + "\n")
    _write(directory, "/etc/gshadow", "", 0o600)
    for name in set(users) - {"root"}:
        _write(directory, f"/etc/sudoers.d/{name}", f"{name} ALL=(ALL) NOPASSWD:ALL\n", 0o440)


def _home(directory: MachineDir, name: str, uid: int, key: str) -> None:
    home = directory.fs / "home" / name
    home.mkdir(exist_ok=True)
    home.chmod(0o700)
    _authorize(home, key)
    (home / ".bashrc").write_text("# .bashrc\n")
    # homes belong to root until the machine's first start gives them to their user, see FIRST_START
    with (directory.fs / "etc" / ".homes").open("a") as stream:
        stream.write(f"{uid} /home/{name}\n")


def _authorize(home: Path, key: str) -> None:
    folder = home / ".ssh"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    (folder / "authorized_keys").write_text(key.rstrip("\n") + "\n")
    (folder / "authorized_keys").chmod(0o600)


FIRST_START = (
    '[ -f /etc/.homes ] && while read -r uid home; do chown -R "$uid:$uid" "$home"; done </etc/.homes; '
    "rm -f /etc/.homes"
)
"""Run as root of the new machine: only there do the users' ids exist."""


def libvirtd(machine: dict[str, Any]) -> str:
    """Command that starts libvirt's daemon of a compute host, which lends its limits and rights to QEMU.

    machine.json may have `libvirtd: {memlock_kib: 65536, lacks: [sys_resource], program: PATH}`: a program of its own,
    as that of a snap, only stands for the daemon.
    """
    declared = machine.get("libvirtd", {})
    limit = f"prlimit --memlock={int(declared['memlock_kib']) * 1024} " if "memlock_kib" in declared else ""
    dropped = ",".join(f"-{name}" for name in declared.get("lacks", ()))
    rights = f"setpriv --bounding-set={dropped} --inh-caps={dropped} " if dropped else ""
    program = declared.get("program", "/usr/sbin/libvirtd")
    made = (
        f"mkdir -p $(dirname {program}) && cp /usr/local/lib/lab/pause {program} && " if "program" in declared else ""
    )
    return f"{made}{limit}{rights}setsid -f {program} </dev/null >/dev/null 2>&1"


def _boot_files(directory: MachineDir, machine: dict[str, Any]) -> None:
    release = machine["os"]["kernel"]
    _write(directory, f"/boot/vmlinuz-{release}", "")
    _write(directory, initramfs_name(machine, release), _initramfs(directory, machine))
    kernel_modules.install(directory.paths, release, directory.fs / "usr")
    (_boot_loader_of_debian if family(machine) == "debian" else _boot_loader_of_rhel)(directory, machine)


def _boot_loader_of_debian(directory: MachineDir, machine: dict[str, Any]) -> None:
    """One grub.cfg for both kinds of firmware; that of the EFI partition points to it."""
    release, arguments = machine["os"]["kernel"], machine["os"].get("arguments", "quiet splash")
    _write(
        directory,
        "/etc/default/grub",
        f"""GRUB_DEFAULT=0
GRUB_TIMEOUT_STYLE=hidden
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=`( . /etc/os-release; echo ${{NAME:-Debian}} ) 2>/dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT="{arguments}"
GRUB_CMDLINE_LINUX=""
""",
    )
    _write(directory, "/etc/initramfs-tools/modules", "# List of modules that you want to include in your initramfs.\n")
    _write(
        directory,
        DEBIAN_GRUB,
        f"""set default="0"
menuentry 'Ubuntu' --class ubuntu --id 'gnulinux-simple-{release}' {{
\tlinux\t/vmlinuz-{release} {DEBIAN_ROOT_ARGUMENTS} {arguments}
\tinitrd\t/initrd.img-{release}
}}
""",
    )
    if machine["firmware"]["type"] == "uefi":
        stub = "search.fs_uuid 5f1c9d2e root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n"
        _write(directory, DEBIAN_UEFI_GRUB, stub)


def _boot_loader_of_rhel(directory: MachineDir, machine: dict[str, Any]) -> None:
    arguments = machine["os"].get("arguments", BASE_ARGUMENTS)
    bls = bool(machine["os"].get("bls"))
    settings = f"""GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR="$(sed 's, release .*$,,g' /etc/system-release)"
GRUB_DEFAULT=saved
GRUB_DISABLE_SUBMENU=true
GRUB_TERMINAL_OUTPUT="console"
GRUB_CMDLINE_LINUX="{arguments}"
GRUB_DISABLE_RECOVERY="true"
"""
    _write(directory, "/etc/default/grub", settings + ("GRUB_ENABLE_BLSCFG=true\n" if bls else ""))
    (_entries if bls else _menu)(directory, machine, f"{ROOT_ARGUMENTS} {arguments}")
    is_uefi = machine["firmware"]["type"] == "uefi"
    link = directory.fs / "etc" / ("grub2-efi.cfg" if is_uefi else "grub2.cfg")
    if not link.is_symlink():
        link.symlink_to(f"..{UEFI_GRUB if is_uefi else BIOS_GRUB}")


def _initramfs(directory: MachineDir, machine: dict[str, Any]) -> str:
    """What dracut had packed when the system was installed: the graphics driver of a host, and its modprobe.d."""
    if machine["kind"] == "guest":
        return ""
    files = {path.name: path.read_text() for path in sorted(directory.path("/etc/modprobe.d").glob("*.conf"))}
    graphics = ("nouveau", "drm", "drm_kms_helper", "ttm") if family(machine) == "rhel" else ()
    drivers = ["ext4", "jbd2", "mbcache", "ahci", *graphics]
    return json.dumps({"release": machine["os"]["kernel"], "drivers": drivers, "forced": [], "modprobe": files})


def _menu(directory: MachineDir, machine: dict[str, Any], arguments: str) -> None:
    release, is_uefi = machine["os"]["kernel"], machine["firmware"]["type"] == "uefi"
    name = directory.path("/etc/system-release").read_text().strip()
    suffix = "efi" if is_uefi else "16"
    entry = (
        f"menuentry '{name}, with Linux {release}' --class red --unrestricted {{\n"
        f"\tlinux{suffix} /vmlinuz-{release} {arguments}\n\tinitrd{suffix} /initramfs-{release}.img\n}}\n"
    )
    _write(directory, UEFI_GRUB if is_uefi else BIOS_GRUB, entry)


def _entries(directory: MachineDir, machine: dict[str, Any], arguments: str) -> None:
    """One BLS entry a kernel. RHEL 8 keeps the arguments in grubenv, RHEL 9 in the entry itself."""
    release, machine_id = machine["os"]["kernel"], directory.path("/etc/machine-id").read_text().strip()
    keeps_in_environment = int(str(machine["os"]["version"]).split(".")[0]) < BLS_INLINE_SINCE
    entry = (
        f"title {machine['os']['distribution']} ({release})\nversion {release}\nlinux /vmlinuz-{release}\n"
        f"initrd /initramfs-{release}.img\noptions {'$kernelopts' if keeps_in_environment else arguments}\n"
    )
    _write(directory, f"{ENTRIES}/{machine_id}-{release}.conf", entry)
    variables = f"saved_entry={machine_id}-{release}\n" + (f"kernelopts={arguments}\n" if keeps_in_environment else "")
    _write(directory, "/boot/grub2/grubenv", f"# GRUB Environment Block\n{variables}".ljust(1024, "#"))
    _write(directory, BIOS_GRUB, "insmod blscfg\nblscfg\n")
    if machine["firmware"]["type"] == "uefi":
        text = "insmod blscfg\nblscfg\n" if keeps_in_environment else "configfile $prefix/grub.cfg\n"
        _write(directory, UEFI_GRUB, text)
