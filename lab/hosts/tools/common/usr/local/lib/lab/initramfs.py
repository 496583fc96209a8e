"""The initramfs as a list of what dracut packed; the boot chain and lsinitrd read it."""

import glob
import json
import os
import re

import kernel

ASSIGNMENT = re.compile(r"^\s*(add|force|omit)_drivers\s*\+?=\s*[\"']?([^\"'\n]*)", re.M)
USUAL = ("ext4", "jbd2", "mbcache", "ahci")
GRAPHICS = ("nouveau", "drm", "drm_kms_helper", "ttm", "mxm_wmi", "video")
"""Packed where the hardware is there (dracut's module drm)."""


def make(path, release, extra):
    """Write the initramfs; returns the names of wanted modules that this kernel does not have.

    `extra` has the lists `add`, `force` and `omit` of the command line.
    """
    lists = {key: [*_configured(key), *extra.get(key, ())] for key in ("add", "force", "omit")}
    omitted = {name.replace("-", "_") for name in lists["omit"]}
    has_gpu = any(gpu["vendor_id"] == "10de" if "vendor_id" in gpu else True for gpu in kernel.machine()["gpus"])
    usual = [*USUAL, *(GRAPHICS if has_gpu else ())]
    wanted = [name.replace("-", "_") for name in (*usual, *lists["add"], *lists["force"])]
    wanted = [name for name in dict.fromkeys(wanted) if name not in omitted]
    packed = [name for name in wanted if kernel.module_file(name, release)]
    asked = {name.replace("-", "_") for name in (*lists["add"], *lists["force"])}
    forced = [name.replace("-", "_") for name in lists["force"]]
    content = {
        "release": release,
        "drivers": packed,
        "forced": [n for n in forced if n in packed],
        "modprobe": _modprobe(),
    }
    with open(f"{path}.new", "w") as stream:
        json.dump(content, stream)
    os.replace(f"{path}.new", path)
    return sorted(asked - set(packed) - omitted)


def read(path):
    """What an initramfs holds; an empty one holds nothing."""
    with open(path) as stream:
        text = stream.read()
    return json.loads(text) if text.startswith("{") else {"release": "", "drivers": [], "forced": [], "modprobe": {}}


def _configured(key):
    found = []
    for path in ["/etc/dracut.conf", *sorted(glob.glob("/etc/dracut.conf.d/*.conf"))]:
        if os.path.exists(path):
            with open(path, errors="replace") as stream:
                found += [
                    word for kind, words in ASSIGNMENT.findall(stream.read()) if kind == key for word in words.split()
                ]
    return found


def _modprobe():
    files = {}
    for path in sorted(glob.glob("/etc/modprobe.d/*.conf")):
        with open(path, errors="replace") as stream:
            files[os.path.basename(path)] = stream.read()
    return files
