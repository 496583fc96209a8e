"""The Debian that the virtual machines run, and whose QEMU runs them: made once from Debian's packages, cached.

Nothing of it is installed on the user's own system: its programs are started with its own loader and libraries.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from lab.errors import LabError
from lab.install import REQUIREMENTS, uv_program
from lab.paths import REPOSITORY, LabPaths

PACKAGES_FILE = Path(__file__).with_name("packages.yaml")
FILES = Path(__file__).with_name("files")
PLUGINS = REPOSITORY / "lab" / "plugins"
PLUGIN = (
    "labcloud/__init__.py",
    "labcloud/bus.py",
    "labcloud-0.1.dist-info/METADATA",
    "labcloud-0.1.dist-info/entry_points.txt",
)
"""The message bus's side of nova-compute."""
PYTHON = "3.13"
MODULES = f"usr/local/lib/python{PYTHON}/dist-packages"
UNITS = ("lab-seed", "lab-relay", "lab-prepare", "nova-compute", "systemd-networkd", "ssh")
USERS = (
    "useradd --create-home --shell /bin/bash heat-admin",
    "useradd --system --user-group --home-dir /var/lib/nova --create-home --shell /bin/sh --groups libvirt,kvm nova",
    "install --directory --owner nova --group nova --mode 755 /var/lib/nova",  # QEMU, too, opens disks below it
    "install --directory --owner nova --group nova /etc/nova /var/log/nova /var/lib/nova/instances /var/lib/nova/locks",
)
SYSTEM = (
    "rm -f /etc/ssh/ssh_host_*",
    f"systemctl enable {' '.join(UNITS)}",
    "systemctl disable apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer",
    "systemctl mask systemd-networkd-wait-online.service e2scrub_reap.service",
)
"""Timers would work on a slow machine just while it is looked at."""
FSTAB = "/dev/vda1 / ext4 defaults,errors=remount-ro 0 1\n"
BLACKLIST = "blacklist nouveau\noptions nouveau modeset=0\n"


def key() -> str:
    """Changes with everything that decides what is on the disk."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + PACKAGES_FILE.read_bytes())
    for file in sorted(path for path in FILES.rglob("*") if path.is_file()):
        digest.update(str(file.relative_to(FILES)).encode() + file.read_bytes())
    for name in PLUGIN:
        digest.update((PLUGINS / name).read_bytes())
    digest.update(repr((USERS, SYSTEM, FSTAB, BLACKLIST)).encode())
    return digest.hexdigest()[:16]


def tree(paths: LabPaths) -> Path:
    """The folder of the Debian of this version of the lab."""
    return paths.cache / "metal" / key() / "tree"


def build(paths: LabPaths) -> Path:
    """The tree, made when it is missing: some minutes, and 1.2 GiB.

    Raises:
        LabError: mmdebstrap or who may use it is missing, or it failed.
    """
    target = tree(paths)
    if target.exists():
        return target
    if shutil.which("mmdebstrap") is None:
        raise LabError("virtual machines need mmdebstrap to make their disk: apt-get install mmdebstrap")
    if os.getuid() != 0:
        raise LabError("the disk of the virtual machines can only be made by root")
    print("making the virtual machines' Debian from its packages", file=sys.stderr)
    fresh = target.with_name("tree.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.parent.mkdir(parents=True, exist_ok=True)
    _bootstrap(fresh)
    _install_nova(fresh)
    _configure(fresh)
    fresh.rename(target)
    return target


def _bootstrap(target: Path) -> None:
    wanted = yaml.safe_load(PACKAGES_FILE.read_text())
    suite, newer = wanted["suite"], wanted["backports"]
    pin = f"Package: {' '.join(newer['packages'])}\nPin: release n={newer['suite']}\nPin-Priority: 990\n"
    pin_file = target.parent / "backports.pref"
    pin_file.write_text(pin)
    options = [
        "--variant=minbase",
        "--mode=root",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={path}" for path in wanted["left_out"]),
        '--setup-hook=mkdir -p "$1/etc/apt/preferences.d"',
        f"--setup-hook=copy-in {pin_file} /etc/apt/preferences.d",
        "--include=" + ",".join(wanted["packages"]),
    ]
    archive = wanted["archive"]
    sources = [f"deb {archive} {name} main" for name in (suite, newer["suite"])]
    # mmdebstrap warns about a TMPDIR that it cannot reach; /tmp always works
    environment = {**os.environ, "TMPDIR": "/tmp"}
    command = ["mmdebstrap", *options, suite, str(target), *sources]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise LabError("mmdebstrap failed:\n" + "\n".join(done.stderr.splitlines()[-20:]))


def _install_nova(target: Path) -> None:
    """The lab's release of Nova and its plugin of the message bus, where Python of Debian looks for them."""
    modules = target / MODULES
    uv = uv_program()
    if uv is None:
        raise LabError("the disk of the metal tier needs uv, which installs for another Python: pip install uv")
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--python-version", PYTHON]
    command += ["--python-platform", "linux", "--target", str(modules), "--requirement", str(REQUIREMENTS)]
    subprocess.run(command, check=True)
    shutil.rmtree(modules / "bin", ignore_errors=True)
    for name in PLUGIN:
        (modules / name).parent.mkdir(exist_ok=True)
        shutil.copy2(PLUGINS / name, modules / name)
    run_inside(target, f"python3 -m compileall -q -j 2 /{MODULES} || true")


def _configure(target: Path) -> None:
    shutil.copytree(FILES, target, dirs_exist_ok=True, symlinks=True)
    for name in ("heat-admin", "nova"):
        (target / "etc/sudoers.d" / name).chmod(0o440)
    (target / "etc/fstab").write_text(FSTAB)
    (target / "etc/modprobe.d/blacklist-nouveau.conf").write_text(BLACKLIST)
    (target / "etc/machine-id").write_text("uninitialized\n")
    (target / "etc/resolv.conf").write_text("")
    for command in (*USERS, *SYSTEM):
        run_inside(target, command)


def run_inside(root: Path, command: str) -> None:
    """Carry out a command in the tree, as root.

    Raises:
        LabError: it failed.
    """
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C"}
    words = ["chroot", str(root), "/bin/sh", "-c", command]
    done = subprocess.run(words, capture_output=True, text=True, env=path, check=False)
    if done.returncode:
        raise LabError(f"`{command}` failed in {root}: {done.stderr.strip()[-2000:]}")


def program(root: Path, name: str, *arguments: str) -> list[str]:
    """The command line of a program of the tree, with the tree's own loader and libraries."""
    libraries = root / "usr/lib/x86_64-linux-gnu"
    loader = [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), "--argv0", name]
    places = (root / "usr" / folder / name for folder in ("bin", "sbin"))
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise LabError(f"{root} has no {name}")
    return [*loader, str(found), *arguments]


def environment(root: Path) -> dict[str, str]:
    """Variables with which QEMU of the tree finds its modules."""
    return {**os.environ, "QEMU_MODULE_DIR": str(root / "usr/lib/x86_64-linux-gnu/qemu")}
