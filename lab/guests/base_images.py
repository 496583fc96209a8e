"""Images as their vendor ships them: what lies in the operator's images directory before anybody customizes it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from lab.files import remove_tree
from lab.guests import image
from lab.hosts import contents
from lab.hosts.layout import MachineDir
from lab.paths import LabPaths

IMAGES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
NAME = "rhel-server-7.4-x86_64-kvm.qcow2"


def make(paths: LabPaths, target: Path, name: str = NAME) -> None:
    """Make the vendor's guest image `name` at `target`.

    Raises:
        KeyError: no vendor ships such an image.
    """
    vendor = IMAGES[name]
    directory = MachineDir(paths, f"vendor-image-{os.getpid()}")
    machine = {
        "name": "localhost",
        "kind": "guest",
        "os": vendor["os"],
        "addresses": [],
        "firmware": {"type": "bios", "secure_boot": False},
    }
    directory.root.mkdir(parents=True, exist_ok=True)
    try:
        contents.populate(directory, machine, {})
        database = directory.fs / "var/lib/lab/packages.json"
        database.parent.mkdir(parents=True, exist_ok=True)
        state = {"installed": vendor["installed"], "repos": vendor["repositories"], "registered": True}
        database.write_text(json.dumps(state))
        (directory.fs / "etc/ld.so.preload").unlink()
        image.pack(target, directory.fs, {"os": vendor["os"]})
    finally:
        remove_tree(directory.root)
