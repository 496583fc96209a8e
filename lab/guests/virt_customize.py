"""virt-customize of the emulated undercloud: really runs the commands, in a machine made from the image.

As in reality, they run under the kernel of libguestfs' appliance, not the image's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.guests import image as guest_image
from lab.hosts.daemon.client import MachineError, MachinesClient
from lab.hosts.layout import MachineDir
from lab.paths import LabPaths

APPLIANCE_KERNEL = "3.10.0-957.el7.x86_64"
WITH_VALUE = {
    "-a",
    "--add",
    "--run-command",
    "--run",
    "--install",
    "--uninstall",
    "--upload",
    "--copy-in",
    "--mkdir",
    "--write",
    "--delete",
    "--hostname",
    "--root-password",
    "--timezone",
    "--firstboot",
    "--firstboot-command",
    "--append-line",
    "--chmod",
    "--sm-credentials",
    "--sm-attach",
    "--password",
    "--ssh-inject",
    "--format",
    "--touch",
    "--truncate",
    "--link",
    "--smp",
    "-m",
    "--memsize",
}
FLAGS = {
    "--update",
    "--selinux-relabel",
    "--no-selinux-relabel",
    "--sm-register",
    "--sm-unregister",
    "-v",
    "-x",
    "-q",
    "--quiet",
    "--network",
    "--no-network",
}
Step = tuple[str, str]
Carrier = Callable[[MachinesClient, MachineDir, str], None]


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
        "kind": "guest",
        "uuid": name,
        "hostname": "localhost",
        "host": os.environ["LAB_MACHINE"],
        "vcpus": 1,
        "memory_mb": 512,
        "gpus": [],
        "appliance_kernel": APPLIANCE_KERNEL,
    }
    print("[   0.0] Examining the guest ...", flush=True)
    try:
        with tempfile.TemporaryDirectory(dir=paths.state) as readable:
            # the daemon is not root over the files of the machine's users; here we are
            client.define(name, declaration, Path(shutil.copyfile(image, Path(readable) / "image")), {})
        client.boot(name)
        for step in steps:
            _step(client, MachineDir(paths, name), *step)
        client.shutdown(name)
        print("[   9.9] Finishing off", flush=True)
        _write_back(image, MachineDir(paths, name), description)
    finally:
        client.destroy(name)


def _run(client: MachinesClient, name: str, argv: list[str], text: str, stdin: bytes | None = None) -> None:
    done = client.run(name, argv, stdin=stdin)
    if done.returncode:
        print(done.stdout + done.stderr, end="")
        raise LabError(f"virt-customize: error: {text}: command exited with an error")


def _write(client: MachinesClient, guest: MachineDir, target: str, data: bytes, mode: str = "644") -> None:
    """Through the machine: outside, the path may be that of a layer which other machines share."""
    _run(client, guest.name, ["install", "-D", "-m", mode, "/dev/stdin", target], target, data)


def _step(client: MachinesClient, guest: MachineDir, option: str, value: str) -> None:
    title, carry_out = STEPS.get(option, ("", _nothing))
    if title:
        print(f"[   1.0] {title.format(value=_shown(value))}", flush=True)
    carry_out(client, guest, value)


def _shown(value: str) -> str:
    """The step's value without what may hold a password."""
    return "subscription-manager …" if "subscription-manager" in value else value


def _nothing(client: MachinesClient, guest: MachineDir, value: str) -> None:
    """An option that changes no file of a machine without SELinux."""


def _command(client: MachinesClient, guest: MachineDir, value: str) -> None:
    _run(client, guest.name, ["/bin/sh", "-c", value], _shown(value))


def _script(client: MachinesClient, guest: MachineDir, value: str) -> None:
    _run(client, guest.name, ["/bin/bash", "-c", _outside(value).read_text()], value)


def _yum(*verb: str) -> Carrier:
    def carry_out(client: MachinesClient, guest: MachineDir, value: str) -> None:
        _run(client, guest.name, ["yum", "-y", *verb, *(value.split(",") if value else ())], value or " ".join(verb))

    return carry_out


def _argv(*words: str) -> Carrier:
    def carry_out(client: MachinesClient, guest: MachineDir, value: str) -> None:
        _run(client, guest.name, [*words, value], value)

    return carry_out


def _upload(client: MachinesClient, guest: MachineDir, value: str) -> None:
    source, _, target = value.partition(":")
    file = _outside(source)
    _write(client, guest, target, file.read_bytes(), f"{file.stat().st_mode & 0o777:o}")


def _copy_in(client: MachinesClient, guest: MachineDir, value: str) -> None:
    source, _, folder = value.partition(":")
    root = _outside(source)
    for file in sorted(path for path in [root, *root.rglob("*")] if path.is_file()):
        mode = f"{file.stat().st_mode & 0o777:o}"
        _write(client, guest, f"{folder}/{file.relative_to(root.parent)}", file.read_bytes(), mode)


def _write_text(client: MachinesClient, guest: MachineDir, value: str) -> None:
    target, _, text = value.partition(":")
    _write(client, guest, target, text.encode())


def _append_line(client: MachinesClient, guest: MachineDir, value: str) -> None:
    target, _, line = value.partition(":")
    script = '[ -z "$(tail -c 1 "$1")" ] || echo >> "$1"; cat >> "$1"'
    _run(client, guest.name, ["/bin/sh", "-c", script, "sh", target], target, f"{line}\n".encode())


def _chmod(client: MachinesClient, guest: MachineDir, value: str) -> None:
    mode, _, target = value.partition(":")
    _run(client, guest.name, ["chmod", mode, target], target)


def _link(client: MachinesClient, guest: MachineDir, value: str) -> None:
    target, *links = value.split(":")
    for link in links:
        _run(client, guest.name, ["ln", "-sfn", target, link], link)


def _hostname(client: MachinesClient, guest: MachineDir, value: str) -> None:
    _write(client, guest, "/etc/hostname", f"{value}\n".encode())


def _time_zone(client: MachinesClient, guest: MachineDir, value: str) -> None:
    _run(client, guest.name, ["ln", "-sfn", f"/usr/share/zoneinfo/{value}", "/etc/localtime"], value)


def _root_password(client: MachinesClient, guest: MachineDir, value: str) -> None:
    _password(client, guest, f"root:{value}")


def _password(client: MachinesClient, guest: MachineDir, value: str) -> None:
    """USER:password:TEXT, USER:file:PATH, USER:disabled or USER:locked. The hash goes in by standard input."""
    user, kind, secret = [*value.split(":", 2), ""][:3]
    if kind not in ("password", "file", "disabled", "locked"):
        raise LabError("virt-customize: invalid password selector; use password:…, file:…, disabled or locked")
    text = _outside(secret).read_text().strip() if kind == "file" else secret
    script = 'hash=$(openssl passwd -6 -stdin) && usermod -p "$hash" "$1"'
    if kind in ("disabled", "locked"):
        script = "usermod -p '!!' \"$1\""
    _run(client, guest.name, ["/bin/sh", "-c", script, "sh", user], f"password of {user}", f"{text}\n".encode())


def _ssh_inject(client: MachinesClient, guest: MachineDir, value: str) -> None:
    """USER:string:KEY or USER:file:PATH."""
    user, kind, rest = [*value.split(":", 2), "", ""][:3]
    if kind not in ("string", "file"):
        raise LabError("virt-customize: ssh-inject needs USER:string:KEY or USER:file:PATH")
    key = _outside(rest).read_text().strip() if kind == "file" else rest
    script = (
        'd=$(eval echo "~$1")/.ssh; mkdir -p -m 700 "$d"; cat >> "$d/authorized_keys"; '
        'chmod 600 "$d/authorized_keys"; chown -R "$1": "$d"'
    )
    _run(client, guest.name, ["/bin/sh", "-c", script, "sh", user], f"key of {user}", f"{key}\n".encode())


def _first_boot_command(client: MachinesClient, guest: MachineDir, value: str) -> None:
    _first_boot(client, guest, f"#!/bin/sh\n{value}\n")


def _first_boot_script(client: MachinesClient, guest: MachineDir, value: str) -> None:
    _first_boot(client, guest, _outside(value).read_text())


def _first_boot(client: MachinesClient, guest: MachineDir, script: str) -> None:
    number = len(client.run(guest.name, ["ls", FIRST_BOOT]).stdout.split())
    _write(client, guest, f"{FIRST_BOOT}/{number:04d}-script", script.encode(), "755")


FIRST_BOOT = "/usr/lib/virt-sysprep/scripts"
STEPS: dict[str, tuple[str, Carrier]] = {
    "--run-command": ("Running: {value}", _command),
    "--run": ("Running: {value}", _script),
    "--install": ("Installing packages: {value}", _yum("install")),
    "--uninstall": ("Uninstalling packages: {value}", _yum("remove")),
    "--update": ("Updating packages", _yum("update")),
    "--upload": ("Uploading: {value}", _upload),
    "--copy-in": ("Copying: {value}", _copy_in),
    "--write": ("Writing a file", _write_text),
    "--append-line": ("Appending a line to a file", _append_line),
    "--mkdir": ("Making directory: {value}", _argv("mkdir", "-p")),
    "--delete": ("Deleting: {value}", _argv("rm", "-rf")),
    "--touch": ("Running touch: {value}", _argv("touch")),
    "--truncate": ("Truncating: {value}", _argv("truncate", "-s", "0")),
    "--chmod": ("Changing permissions: {value}", _chmod),
    "--link": ("Linking: {value}", _link),
    "--hostname": ("Setting the hostname: {value}", _hostname),
    "--timezone": ("Setting the timezone: {value}", _time_zone),
    "--root-password": ("Setting passwords", _root_password),
    "--password": ("Setting passwords", _password),
    "--ssh-inject": ("SSH key inject", _ssh_inject),
    "--firstboot": ("Installing firstboot script", _first_boot_script),
    "--firstboot-command": ("Installing firstboot command", _first_boot_command),
    "--sm-register": (
        "Registering with subscription-manager",
        lambda c, g, v: _command(c, g, "subscription-manager register"),
    ),
    "--sm-unregister": (
        "Unregistering with subscription-manager",
        lambda c, g, v: _command(c, g, "subscription-manager unregister"),
    ),
    "--selinux-relabel": ("SELinux relabelling", _nothing),
}


def _write_back(image: Path, guest: MachineDir, description: dict[str, Any]) -> None:
    database = json.loads(guest.path("/var/lib/lab/packages.json").read_text())
    for leftover in ("etc/ld.so.preload", "etc/cloud/cloud.cfg", "var/lib/cloud/seed", "usr/local/lib/lab/shim.so"):
        path = guest.fs / leftover
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    kernels = database["installed"].get("kernel", [])
    newest = max(kernels, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])
    system = {**description["os"], "kernel": f"{newest}.x86_64"}
    guest_image.pack(image, guest.fs, {**description, "os": system})
