"""Images as their vendor ships them: what lies in the operator's images directory before anybody customizes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.guests import image
from lab.hosts import contents
from lab.hosts.layout import MachineDir
from lab.paths import LabPaths
from lab.services.files import remove_tree

RHEL_7_4: dict[str, Any] = {
    "os": {"distribution": "rhel", "version": "7.4", "kernel": "3.10.0-693.el7.x86_64", "bls": False, "nouveau": False},
    "installed": {"kernel": ["3.10.0-693.el7"], "curl": ["7.29.0-42.el7"], "cloud-init": ["0.7.9-9.el7"]},
}
NAME = "rhel-server-7.4-x86_64-kvm.qcow2"


def make(paths: LabPaths, target: Path) -> None:
    """Make the vendor's guest image at `target`."""
    directory = MachineDir(paths, "vendor-image")
    machine = {
        "name": "localhost",
        "kind": "guest",
        "os": RHEL_7_4["os"],
        "addresses": [],
        "firmware": {"type": "bios", "secure_boot": False},
    }
    directory.root.mkdir(parents=True, exist_ok=True)
    try:
        contents.populate(directory, machine, {})
        database = directory.fs / "var/lib/lab/packages.json"
        database.parent.mkdir(parents=True, exist_ok=True)
        database.write_text(
            json.dumps({"installed": RHEL_7_4["installed"], "repos": ["rhel-7-server-rpms"], "registered": True})
        )
        (directory.fs / "etc/ld.so.preload").unlink()
        image.pack(target, directory.fs, {"os": RHEL_7_4["os"]})
    finally:
        remove_tree(directory.root)
