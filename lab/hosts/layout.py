"""Where the files of one emulated machine lie outside of it."""

from __future__ import annotations

import posixpath
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.paths import REPOSITORY, LabPaths

OWN_DIRECTORIES = ("boot", "etc", "home", "opt", "root", "srv", "var")
"""Top directories that each machine has for itself; /usr is an overlay on the shared userland."""

DEBIAN_FAMILY = ("debian", "ubuntu")
LAYER_OWNERS = ("hosts", "guests", "undercloud")
LAYER_LINKS = {
    "guests/common/usr/bin/dnf": "yum",
    "guests/guest/usr/libexec/cloud-init/write-ssh-key-fingerprints": "../../lib/cloud-init/write-ssh-key-fingerprints",
    "hosts/common/usr/bin/awk": "gawk",
    "hosts/common/usr/bin/sh": "bash",
    "hosts/common/usr/bin/which": "which.debianutils",
}
"""Links of the layers by their place, which a wheel cannot carry."""
USR_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}


@dataclass(frozen=True)
class MachineDir:
    """Directory of the machine `name` of the lab `paths`.

    `machine.json` is the declared hardware, `fs/` what the machine may write, `sys/` and `proc/` the
    kernel's view, made again at each boot.
    """

    paths: LabPaths
    name: str

    @property
    def root(self) -> Path:
        """All that belongs to this machine."""
        return self.paths.machines / self.name

    @property
    def fs(self) -> Path:
        """The machine's own top directories; `fs/usr` is the upper layer of its /usr."""
        return self.root / "fs"

    @property
    def sys(self) -> Path:
        """Its synthetic /sys."""
        return self.root / "sys"

    @property
    def proc(self) -> Path:
        """The files that lie over its /proc: cmdline, modules, version, driver/ ..."""
        return self.root / "proc"

    @property
    def machine_file(self) -> Path:
        """Declared hardware and identity; inside the machine: /run/lab/machine.json."""
        return self.root / "machine.json"

    @property
    def power_file(self) -> Path:
        """What the machine should be: `on` or `off`."""
        return self.root / "power"

    @property
    def console_file(self) -> Path:
        """What the machine wrote on its serial console."""
        return self.root / "console.log"

    def path(self, inside: str) -> Path:
        """The outside file behind the absolute path `inside`, e.g. `/etc/nova/nova.conf`.

        Below /usr this is the machine's own copy where it has one, else the shared layer's file, which must
        not be written. Symbolic links are not followed. ValueError for a path that is no disk's (/run, /tmp).
        """
        parts = posixpath.normpath(inside).lstrip("/").split("/")
        if not inside.startswith("/") or ".." in parts:
            raise ValueError(f"not an absolute path: {inside}")
        parts = [*USR_LINKS.get(parts[0], parts[0]).split("/"), *parts[1:]]
        if parts[0] in OWN_DIRECTORIES or (parts[0] != "usr" and (self.fs / parts[0]).is_dir()):
            return self.fs.joinpath(*parts)
        if parts[0] == "sys":
            return self.sys.joinpath(*parts[1:])
        if parts[0] == "proc":
            return self.proc.joinpath(*parts[1:])
        if parts[0] != "usr":
            raise ValueError(f"{inside} of machine {self.name} is not on its disk")
        candidates = [self.fs, *(layer.parent for layer in self.usr_layers()), self.paths.userland]
        return next((c.joinpath(*parts) for c in candidates if _exists(c.joinpath(*parts))), self.fs.joinpath(*parts))

    def usr_layers(self) -> list[Path]:
        """Read-only layers of /usr above the userland, the uppermost first."""
        audiences = (*self._audiences(), "common")
        places = [self.paths.layers / owner / audience / "usr" for audience in audiences for owner in LAYER_OWNERS]
        return [place for place in places if place.is_dir()]

    def _audiences(self) -> tuple[str, ...]:
        """The kind of machine and the family of its distribution."""
        import json

        try:
            machine = json.loads(self.machine_file.read_text())
        except FileNotFoundError:
            return ()
        return str(machine["kind"]), family(machine)


def family(machine: dict[str, Any]) -> str:
    """Whose tools and files a machine has: `debian` or `rhel`."""
    return "debian" if machine.get("os", {}).get("distribution") in DEBIAN_FAMILY else "rhel"


def copy_layers(paths: LabPaths) -> None:
    """Copy the checkout's layers, for machines that boot from now on.

    The checkout may be somebody else's, or of another group: an ordinary user's machines know only the user and the
    user's own group, and a change of any other file ends in EOVERFLOW.
    """
    shutil.rmtree(paths.layers, ignore_errors=True)
    for owner in LAYER_OWNERS:
        shutil.copytree(REPOSITORY / "lab" / owner / "tools", paths.layers / owner)
    for place, target in LAYER_LINKS.items():
        link = paths.layers / place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()
