"""virt-customize of the emulated undercloud: really runs the commands, in a machine made from the image.

As in life they run under the kernel of libguestfs' appliance, not the image's.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.guests import image as guest_image
from lab.hosts.client import MachineError, MachinesClient
from lab.hosts.layout import MachineDir
from lab.paths import LabPaths

APPLIANCE_KERNEL = "3.10.0-957.el7.x86_64"
WITH_VALUE = {
    "-a", "--add", "--run-command", "--run", "--install", "--uninstall", "--upload", "--copy-in", "--mkdir", "--write",
    "--delete", "--hostname", "--root-password", "--timezone", "--firstboot-command", "--append-line", "--edit", "--chmod",
    "--sm-credentials", "--sm-attach", "--password", "--ssh-inject", "--format", "--touch", "--truncate", "--link",
}  # fmt: skip
FLAGS = {"--update", "--selinux-relabel", "--no-selinux-relabel", "--sm-register", "--sm-unregister", "-v", "-x", "-q", "--quiet", "--network", "--no-network"}  # fmt: skip
Step = tuple[str, str]


def virt_customize(arguments: list[str]) -> int:
    """Carry out the steps in their order; the image changes only when all succeed."""
    try:
        steps = _parse(arguments)
        images = [value for option, value in steps if option in ("-a", "--add")]
        if not images:
            raise LabError("virt-customize: you must give at least one -a option")
        _customize(_outside(images[0]), [step for step in steps if step[0] not in ("-a", "--add")])
    except (LabError, MachineError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parse(arguments: list[str]) -> list[Step]:
    steps = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        option, equals, value = word.partition("=")
        if option in FLAGS:
            steps.append((option, ""))
        elif option in WITH_VALUE:
            if not equals and not words:
                raise LabError(f"virt-customize: option '{option}' needs an argument")
            steps.append((option, value if equals else words.pop(0)))
        else:
            raise LabError(
                f"virt-customize: unrecognized option '{word}'\nTry `virt-customize --help' for more information."
            )
    return steps


def _outside(name: str) -> Path:
    """The file on our side of a path that the caller gave in their machine."""
    directory = MachineDir(LabPaths.of(os.environ["LAB_NAME"]), os.environ["LAB_MACHINE"])
    path = directory.path(os.path.normpath(os.path.join(os.environ["LAB_CWD"], name)))
    if not path.exists():
        raise LabError(f"virt-customize: error: libguestfs error: {name}: No such file or directory")
    return path


def _customize(image: Path, steps: list[Step]) -> None:
    paths = LabPaths.of(os.environ["LAB_NAME"])
    client = MachinesClient(paths)
    name = f"appliance-{os.getpid()}"
    description = guest_image.describe(image)
    declaration = {
        "kind": "guest", "uuid": name, "hostname": "localhost", "host": os.environ["LAB_MACHINE"], "vcpus": 1,
        "memory_mb": 512, "gpus": [], "appliance_kernel": APPLIANCE_KERNEL,
    }  # fmt: skip
    print("[   0.0] Examining the guest ...", flush=True)
    try:
        client.define(name, declaration, image, {})
        client.boot(name)
        for step in steps:
            _step(client, MachineDir(paths, name), *step)
        client.shutdown(name)
        print("[   9.9] Finishing off", flush=True)
        _write_back(image, MachineDir(paths, name), description)
    finally:
        client.destroy(name)


def _run(client: MachinesClient, name: str, argv: list[str], text: str) -> None:
    done = client.run(name, argv)
    if done.returncode:
        print(done.stdout + done.stderr, end="")
        raise LabError(f"virt-customize: error: {text}: command exited with an error")


def _step(client: MachinesClient, guest: MachineDir, option: str, value: str) -> None:
    if option in ("--run-command", "--firstboot-command"):
        shown = "subscription-manager …" if "subscription-manager" in value else value
        print(f"[   1.0] Running: {shown}", flush=True)
        _run(client, guest.name, ["/bin/sh", "-c", value], shown)
    elif option == "--run":
        _run(client, guest.name, ["/bin/bash", "-c", _outside(value).read_text()], value)
    elif option in ("--install", "--uninstall"):
        print(f"[   1.0] Installing packages: {value.replace(',', ' ')}", flush=True)
        _run(
            client,
            guest.name,
            ["yum", "-y", option.removeprefix("--").replace("uninstall", "remove"), *value.split(",")],
            value,
        )
    elif option == "--update":
        print("[   1.0] Updating packages", flush=True)
        _run(client, guest.name, ["yum", "-y", "update"], "update")
    elif option in ("--upload", "--copy-in"):
        source, _, target = value.partition(":")
        inside = target if option == "--upload" else f"{target}/{Path(source).name}"
        shutil.copy2(_outside(source), guest.path(inside))
    elif option == "--write":
        target, _, text = value.partition(":")
        guest.path(target).write_text(text)
    elif option in ("--mkdir", "--delete", "--touch"):
        verb = {"--mkdir": ["mkdir", "-p"], "--delete": ["rm", "-rf"], "--touch": ["touch"]}[option]
        _run(client, guest.name, [*verb, value], value)
    elif option in ("--sm-register", "--sm-unregister"):
        action = option.removeprefix("--sm-")
        _run(client, guest.name, ["subscription-manager", action], f"subscription-manager {action}")
    elif option == "--hostname":
        guest.path("/etc/hostname").write_text(value + "\n")


def _write_back(image: Path, guest: MachineDir, description: dict[str, Any]) -> None:
    database = json.loads(guest.path("/var/lib/lab/packages.json").read_text())
    for leftover in ("etc/ld.so.preload", "etc/cloud/cloud.cfg", "var/lib/cloud/seed", "usr/local/lib/lab/shim.so"):
        path = guest.fs / leftover
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    kernels = database["installed"].get("kernel", [])
    newest = max(
        kernels, key=lambda version: [int(part) for part in version.replace("el7", "0").replace("-", ".").split(".")]
    )
    system = {**description["os"], "kernel": f"{newest}.x86_64"}
    guest_image.pack(image, guest.fs, {**description, "os": system})
