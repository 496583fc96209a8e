"""A checkout in a folder that hands its group down: what the machines may change is of the user's own group."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from lab_machines import Machines

from lab.hosts.layout import MachineDir
from lab.install import make_cache

FOREIGN_GROUP = 54_321


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder with a foreign group and the set-group-ID bit."""
    groups = [FOREIGN_GROUP] if os.getuid() == 0 else [group for group in os.getgroups() if group != os.getgid()]
    if not groups:
        pytest.skip("this user has one group only")
    folder = tmp_path / "project"
    folder.mkdir()
    os.chown(folder, -1, groups[0])
    folder.chmod(0o2775)
    return folder


def test_the_cache_is_of_the_users_own_group(shared: Path):
    """A new cache has the user's own group, not that of its folder."""
    assert _made(shared / "other").st_gid == shared.stat().st_gid

    make_cache(shared / ".lab" / "cache")

    inside = _made(shared / ".lab" / "cache" / "userland")
    assert inside.st_gid == os.getgid()
    assert not inside.st_mode & stat.S_ISGID


@pytest.mark.skipif(os.getuid() == 0, reason="root's machines know every group")
def test_a_cache_of_another_group_is_made_again(shared: Path):
    """A cache of another group is deleted and created again."""
    _made(shared / "cache")
    _made(shared / "cache" / "userland")

    make_cache(shared / "cache")

    assert not list((shared / "cache").iterdir())


def test_machines_have_copies_of_the_checkouts_layers(compute: str, machines: Machines):
    """Machines use copies of the checkout's layers."""
    layers = MachineDir(machines.state.paths, compute).usr_layers()

    assert len(layers) > 1
    assert all(layer.is_relative_to(machines.state.paths.state) for layer in layers)


def _made(folder: Path) -> os.stat_result:
    folder.mkdir()
    return folder.stat()
