"""What the machine daemon does for a guest: lay the image's content and the seed, run cloud-init at each boot."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from lab.guests import image as guest_image
from lab.hosts.layout import MachineDir

CLOUD_CONFIG = """datasource_list: [NoCloud]
datasource: {NoCloud: {fs_label: null}}
disable_root: true
ssh_pwauth: false
ssh_deletekeys: true
ssh_genkeytypes: [ed25519]
preserve_hostname: false
network: {config: disabled}
users: [default]
cloud_init_modules: [seed_random, bootcmd, write-files, set_hostname, update_hostname, \
update_etc_hosts, users-groups, ssh]
cloud_config_modules: [set-passwords, runcmd]
cloud_final_modules: [scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user, \
ssh-authkey-fingerprints, keys-to-console, final-message]
system_info:
  distro: rhel
  default_user:
    name: cloud-user
    lock_passwd: true
    gecos: Cloud User
    groups: [wheel, adm]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
  paths: {cloud_dir: /var/lib/cloud, templates_dir: /etc/cloud/templates}
  ssh_svcname: sshd
"""


def image_os(image: Path) -> dict[str, Any]:
    """Distribution and kernel of an image."""
    return dict(guest_image.describe(image)["os"])


def prepare(directory: MachineDir, image: Path | None, seed: dict[str, Any]) -> None:
    """Put the image's files and the instance's data on the disk of a new guest."""
    if image is not None:
        guest_image.unpack(image, directory.fs)
    directory.path("/etc/cloud/cloud.cfg").write_text(CLOUD_CONFIG)
    for extra in directory.path("/etc/cloud/cloud.cfg.d").glob("*.cfg"):
        if extra.name != "05_logging.cfg":  # without it everything is logged to the console
            extra.unlink()
    folder = directory.fs / "var/lib/cloud/seed/nocloud"
    folder.mkdir(parents=True, exist_ok=True)
    meta = {
        "instance-id": seed.get("instance_id", directory.name),
        "local-hostname": seed.get("hostname", directory.name),
        "public-keys": seed.get("public_keys", []),
    }
    (folder / "meta-data").write_text(json.dumps(meta))
    data = base64.b64decode(seed["user_data"]) if seed.get("user_data") else b"#cloud-config\n{}\n"
    (folder / "user-data").write_bytes(data)


def firstboot_argv(directory: MachineDir) -> list[str] | None:
    """What runs inside after each boot: cloud-init knows itself which part is for the first."""
    return ["/usr/local/lib/lab/cloud-init-boot"]
