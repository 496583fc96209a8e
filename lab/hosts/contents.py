"""The files that a machine's disk holds when it is new."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.hosts.boot_loader import BIOS_GRUB, UEFI_GRUB
from lab.hosts.layout import OWN_DIRECTORIES, MachineDir
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
}
PAM = "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession sufficient pam_permit.so\npassword sufficient pam_permit.so\n"
SSHD = """Port {port}
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys
UsePAM no
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
GROUPS = "root:x:0:\nsudo:x:27:\nwheel:x:10:\nadm:x:4:\nsystemd-journal:x:190:\nssl-cert:x:109:\nnogroup:x:65534:\nnova:x:162:\n"
FIRST_UID = 1000
EMPTY_KMOD_INDEX = bytes.fromhex("b007f4570002000100000000")
"""Magic, version and no root node: what depmod writes when there is nothing to index (kmod, libkmod-index.c)."""


def populate(directory: MachineDir, machine: dict[str, Any], users: dict[str, str]) -> None:
    """Make the disk of a new machine. `users` maps login names to authorized keys; all may use sudo."""
    for name in OWN_DIRECTORIES:
        (directory.fs / name).mkdir(parents=True, exist_ok=True)
    for name in ("usr", ".usr-work"):
        (directory.fs / name).mkdir(exist_ok=True)
    for name in ("log", "tmp", "lib/nova", "lib/cloud", "spool", "run", "cache", "lib/dpkg"):
        (directory.fs / "var" / name).mkdir(parents=True, exist_ok=True)
    (directory.fs / "root").chmod(0o700)
    (directory.fs / "var/tmp").chmod(0o1777)
    _copy_from_userland(directory)
    _identity(directory, machine)
    _accounts(directory, users)
    _boot_files(directory, machine)
    if machine["kind"] != "guest":
        _write(directory, "/etc/modprobe.d/blacklist-nouveau.conf", "blacklist nouveau\noptions nouveau modeset=0\n")
    usr = directory.fs / "usr" / "local" / "lib" / "lab"
    usr.mkdir(parents=True, exist_ok=True)
    shutil.copy2(shim(directory), usr / "shim.so")
    _write(directory, "/etc/ld.so.preload", "/usr/local/lib/lab/shim.so\n")


def shim(directory: MachineDir) -> Path:
    """The compiled uname shim, made once for all machines."""
    source = Path(__file__).with_name("shim.c")
    target = directory.paths.cache / "shim.so"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        fresh = target.with_suffix(f".{os.getpid()}")
        command = ["gcc", "-shared", "-fPIC", "-O2", "-o", fresh, source, "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"the machines' uname shim cannot be compiled: {done.stderr.strip()}")
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
    name = machine["name"]
    files = {
        "/etc/hostname": f"{name}\n",
        "/etc/hosts": f"127.0.0.1 localhost localhost.localdomain\n{machine['addresses'][0] if machine['addresses'] else '127.0.0.1'} {name}\n",
        "/etc/redhat-release": line.format(version=version) + "\n",
        "/etc/system-release": line.format(version=version) + "\n",
        "/etc/os-release": f'NAME="{long}"\nID="{short}"\nVERSION_ID="{version}"\nPRETTY_NAME="{line.format(version=version)}"\nID_LIKE="fedora"\n',
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
        "/etc/resolv.conf": "",
        "/etc/fstab": "",
        "/etc/machine-id": f"{abs(hash(name)):032x}"[:32] + "\n",
        "/etc/ssh/sshd_config": SSHD.format(port=SSH_PORT),
        "/etc/pam.d/sudo": PAM,
        "/etc/pam.d/su": PAM,
        "/etc/pam.d/other": PAM,
        "/etc/profile.d/lab.sh": "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
    }
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


FIRST_START = '[ -f /etc/.homes ] && while read -r uid home; do chown -R "$uid:$uid" "$home"; done </etc/.homes; rm -f /etc/.homes'
"""Run as root of the new machine: only there do the users' ids exist."""


def _boot_files(directory: MachineDir, machine: dict[str, Any]) -> None:
    release = machine["os"]["kernel"]
    arguments = machine["os"].get("arguments", BASE_ARGUMENTS)
    root = "root=/dev/mapper/rhel-root ro"
    _write(
        directory,
        "/etc/default/grub",
        "GRUB_TIMEOUT=5\n"
        "GRUB_DISTRIBUTOR=\"$(sed 's, release .*$,,g' /etc/system-release)\"\n"
        "GRUB_DEFAULT=saved\nGRUB_DISABLE_SUBMENU=true\n"
        f'GRUB_TERMINAL_OUTPUT="console"\nGRUB_CMDLINE_LINUX="{arguments}"\nGRUB_DISABLE_RECOVERY="true"\n'
        + ("GRUB_ENABLE_BLSCFG=true\n" if machine["os"].get("bls") else ""),
    )
    _write(directory, f"/boot/vmlinuz-{release}", "")
    _write(directory, f"/boot/initramfs-{release}.img", "")
    for name in ("dep", "alias", "symbols", "builtin", "builtin.alias"):
        index = directory.fs / "usr/lib/modules" / release / f"modules.{name}.bin"
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_bytes(EMPTY_KMOD_INDEX)
    target = UEFI_GRUB if machine["firmware"]["type"] == "uefi" else BIOS_GRUB
    if machine["os"].get("bls"):
        machine_id = directory.path("/etc/machine-id").read_text().strip()
        entry = f"title {machine['os']['distribution']}\nversion {release}\nlinux /vmlinuz-{release}\ninitrd /initramfs-{release}.img\noptions $kernelopts\n"
        _write(directory, f"/boot/loader/entries/{machine_id}-{release}.conf", entry)
        _write(directory, "/boot/grub2/grubenv", f"# GRUB Environment Block\nkernelopts={root} {arguments}\n")
        _write(directory, target, "insmod blscfg\nblscfg\n")
    else:
        _write(
            directory,
            target,
            f"menuentry 'Linux {release}' {{\n\tlinux16 /vmlinuz-{release} {root} {arguments}\n\tinitrd16 /initramfs-{release}.img\n}}\n",
        )
    for link, where in (("grub2.cfg", f"..{BIOS_GRUB}"), ("grub2-efi.cfg", f"..{UEFI_GRUB}")):
        path = directory.fs / "etc" / link
        if not path.is_symlink() and (machine["firmware"]["type"] == "uefi") == ("efi" in link):
            path.symlink_to(where)
