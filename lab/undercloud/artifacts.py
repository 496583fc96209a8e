"""Puppet modules as TripleO deploy artifacts: a tarball in Swift that every node unpacks at the next deploy."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from lab.errors import LabError
from lab.state import LabState

CONTAINER = "overcloud-artifacts"
TARBALL = "puppet-modules.tar.gz"
FIXES = {
    "alias_on_computes": "manifests/pci.pp",
    "pci_section": "manifests/compute/pci.pp",
    "several_aliases": "manifests/pci.pp",
}
"""The file of puppet-nova that brings each fix."""


def container(state: LabState) -> Path:
    """Where the undercloud's Swift keeps the artifacts."""
    folder = state.paths.state / "undercloud" / "swift" / CONTAINER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def upload(state: LabState, modules: Path) -> list[str]:
    """Pack every module below `modules` into the container; returns the modules' names."""
    names = sorted(path.name for path in modules.iterdir() if (path / "manifests").is_dir())
    if not names:
        raise LabError(f"{modules.name}: no puppet module (a directory with manifests/) is in there")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in names:
            archive.add(modules / name, arcname=f"etc/puppet/modules/{name}", filter=_without_git)
    (container(state) / TARBALL).write_bytes(buffer.getvalue())
    return names


def _without_git(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "/.git" in member.name else member


def puppet_nova_features(state: LabState, urls: list[str]) -> dict[str, bool]:
    """What the puppet-nova in effect can do: the packaged one, or the artifact that the deploy's files name."""
    features = dict(state.release_data["packaged_puppet_nova"])
    file = container(state) / TARBALL
    if not urls or not file.exists():
        return features
    with tarfile.open(file) as archive:
        names = {name.removeprefix("etc/puppet/modules/nova/") for name in archive.getnames() if "/nova/" in name}
        metadata = next((name for name in archive.getnames() if name.endswith("nova/metadata.json")), None)
        if metadata is not None:
            member = archive.extractfile(metadata)
            json.loads(member.read() if member else b"{}")
    if not names:
        return features
    return {feature: path in names for feature, path in FIXES.items()}
