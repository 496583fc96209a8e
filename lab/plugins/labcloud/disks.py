"""Images to disks and disks to images."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nova.conf
from nova import exception
from nova.compute import task_states
from nova.image import glance

from lab.guests import image as guest_image
from lab.paths import REPOSITORY

CONF = nova.conf.CONF
INSTANCES = "/var/lib/nova/instances"


ROOM_BYTES = 2**20
"""Less than this is no room for any disk."""


def require_room(machine_pid):
    """A disk needs room where the host keeps disks, whatever the lab keeps elsewhere."""
    place = Path(f"/proc/{machine_pid}/root{INSTANCES}")
    if not place.is_dir():
        return
    room = os.statvfs(place)
    if room.f_bavail * room.f_frsize < ROOM_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{INSTANCES}/_base")


def download(context, image_id, instance_uuid):
    """The image's file, fetched once for a host."""
    folder = Path(CONF.instances_path) / "_base"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / image_id
    if not target.exists():
        partial = target.with_suffix(f".{instance_uuid}")
        glance.API().download(context, image_id, dest_path=str(partial))
        partial.replace(target)
    return target


def upload(context, directory, image_id, update_task_state):
    """Pack the disk of a machine and give it to Glance as the image `image_id`."""
    machine = json.loads(directory.machine_file.read_text())
    with tempfile.TemporaryDirectory(dir=CONF.instances_path) as folder:
        target = Path(folder) / "snapshot"
        _pack(target, directory.fs, {"os": machine["os"]})
        update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=task_states.IMAGE_PENDING_UPLOAD)
        facts = {"disk_format": "qcow2", "container_format": "bare", "status": "active"}
        with target.open("rb") as data:
            glance.API().update(context, image_id, facts, data, purge_props=False)


def _pack(target, tree, description):
    """As root over the machine's files: those of its users are not the lab user's."""
    words = [sys.executable, "-m", "lab.guests.image", "pack", str(target), str(tree), json.dumps(description)]
    done = subprocess.run([*guest_image.as_root(), *words], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    if done.returncode:
        raise exception.NovaException(f"qemu-img: the disk cannot be read: {done.stderr.strip()[-500:]}")
