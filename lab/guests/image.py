"""Guest images: a real qcow2 whose disk holds a tar of the guest's files.

Glance inspects what is uploaded and refuses what only pretends to be a qcow2, so this writes a true one: version 2,
64 KiB clusters, nothing compressed, no backing file (https://www.qemu.org/docs/master/interop/qcow2.html).
"""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from itertools import islice, repeat
from pathlib import Path
from typing import Any, BinaryIO

from lab import files
from lab.errors import LabError
from lab.paths import REPOSITORY

MAGIC = 0x514649FB
CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
COPIED = 1 << 63
HEADER = struct.Struct(">IIQIIQIIQQIIQ")
DESCRIPTION = "image.json"
TREES = ("etc", "boot", "home", "opt", "root", "srv", "usr", "var")


def pack(target: Path, tree: Path, description: dict[str, Any]) -> None:
    """Make an image of the files below `tree` (etc, usr, var …) and what is known of it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        _add_text(archive, DESCRIPTION, json.dumps(description, indent=1))
        for name in TREES:
            if (tree / name).exists():
                archive.add(tree / name, arcname=name, filter=_of_root)
    fresh = target.with_suffix(".new")
    fresh.write_bytes(_qcow2(buffer.getvalue()))
    fresh.replace(target)


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """What belongs to the user who runs the lab belongs to root in the machine."""
    if member.uid == os.getuid():
        member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def describe(image: Path) -> dict[str, Any]:
    """What the image says of itself: os, packages.

    Raises:
        LabError: not an image that the lab can start.
    """
    with _open(image) as archive:
        member = archive.extractfile(DESCRIPTION)
        if member is None:
            raise LabError(f"{image.name} holds no {DESCRIPTION}")
        return dict(json.loads(member.read()))


def as_root() -> list[str]:
    """What an ordinary user puts before a command that reads or writes the files of the machine's users."""
    return [] if os.getuid() == 0 else list(files.AS_ROOT)


def unpack(image: Path, tree: Path) -> None:
    """Lay the image's files over `tree`, with their owners.

    Raises:
        LabError: the files cannot be written.
    """
    if os.getuid() == 0:
        _unpack(image, tree)
        return
    command = [*as_root(), sys.executable, "-m", "lab.guests.image", "unpack", str(image), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    if done.returncode:
        raise LabError(f"{image.name} cannot be unpacked: {done.stderr[-2000:]}")


def _unpack(image: Path, tree: Path) -> None:
    with _open(image) as archive:
        members = [member for member in archive.getmembers() if member.name != DESCRIPTION]
        archive.extraction_filter = staticmethod(lambda member, _: member)  # trusted; Debian 12's Python has no filters
        archive.extractall(tree, members, numeric_owner=True)  # noqa: S202  an image of ours, with owners and links


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _open(image: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=io.BytesIO(_content(image)))
    except tarfile.TarError as error:
        raise LabError(f"{image.name} is no disk that the lab's machines boot from: {error}") from error


def _qcow2(content: bytes) -> bytes:
    clusters = -(-len(content) // CLUSTER)
    entries = CLUSTER // 8
    tables = -(-clusters // entries)
    # header | refcount table | refcount blocks | L1 | L2 tables | data
    blocks = 1
    while blocks * (CLUSTER // 2) < 3 + blocks + tables + clusters:
        blocks += 1
    l1_at, l2_at = (2 + blocks) * CLUSTER, (3 + blocks) * CLUSTER
    data_at = l2_at + tables * CLUSTER
    total = data_at // CLUSTER + clusters
    header = HEADER.pack(MAGIC, 2, 0, 0, CLUSTER_BITS, len(content), 0, tables, l1_at, CLUSTER, 1, 0, 0)
    parts = [
        header.ljust(CLUSTER, b"\0"),
        b"".join(struct.pack(">Q", (2 + number) * CLUSTER) for number in range(blocks)).ljust(CLUSTER, b"\0"),
        (struct.pack(">H", 1) * total).ljust(blocks * CLUSTER, b"\0"),
        b"".join(struct.pack(">Q", (l2_at + number * CLUSTER) | COPIED) for number in range(tables)).ljust(
            CLUSTER, b"\0"
        ),
    ]
    l2 = b"".join(struct.pack(">Q", (data_at + number * CLUSTER) | COPIED) for number in range(clusters))
    return b"".join(parts) + l2.ljust(tables * CLUSTER, b"\0") + content.ljust(clusters * CLUSTER, b"\0")


def _content(image: Path) -> bytes:
    with image.open("rb") as stream:
        head = stream.read(HEADER.size)
        if len(head) < HEADER.size or HEADER.unpack(head)[0] != MAGIC:
            raise LabError(f"{image.name} is not a qcow2 image")
        _, _, _, _, bits, size, _, l1_size, l1_at, *_ = HEADER.unpack(head)
        cluster = 1 << bits
        places = islice(_places(stream, cluster, l1_size, l1_at), -(-size // cluster))
        return b"".join(_cluster(stream, cluster, place) for place in places)[:size]


def _places(stream: BinaryIO, cluster: int, l1_size: int, l1_at: int) -> Iterator[int]:
    """Offset of each cluster of the disk, 0 where it holds zeros; a table has places for far more than the disk."""
    entries = cluster // 8
    for l2_at in _table(stream, l1_at, l1_size):
        yield from _table(stream, l2_at, entries) if l2_at else repeat(0, entries)


def _cluster(stream: BinaryIO, cluster: int, place: int) -> bytes:
    if not place:
        return b"\0" * cluster
    stream.seek(place)
    return stream.read(cluster)


def _table(stream: BinaryIO, offset: int, count: int) -> list[int]:
    stream.seek(offset)
    mask = 0x00FFFFFFFFFFFE00
    return [value & mask for (value,) in struct.iter_unpack(">Q", stream.read(count * 8))]


if __name__ == "__main__":
    operation, image_path, tree_path, *rest = sys.argv[1:]
    if operation == "pack":
        pack(Path(image_path), Path(tree_path), json.loads(rest[0]))
    else:
        _unpack(Path(image_path), Path(tree_path))
