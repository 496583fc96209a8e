"""Labs side by side: each has a network of its own."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from pathlib import Path

import pytest

from lab import cli
from lab import state as lab_state
from lab.paths import LabPaths

LABS = 8


def _network_of(home: Path) -> str:
    return lab_state.create(LabPaths(home, "one"), {"release": "ocata", "hosts": []}).network


def test_labs_made_at_the_same_moment_get_different_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labs that are created at the same moment get different networks, also among stale claims."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    claims = tmp_path / f"gpulab-networks-{os.getuid()}"
    claims.mkdir()
    for number in range(lab_state.FIRST_NETWORK, lab_state.FIRST_NETWORK + LABS):
        (claims / f"127.{number}").write_text(str(tmp_path / "gone"))

    with multiprocessing.get_context("fork").Pool(LABS) as pool:
        networks = pool.map(_network_of, [tmp_path / str(number) for number in range(LABS)])

    assert len(set(networks)) == LABS


def test_a_lab_that_is_reset_has_nothing_of_a_deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the next deploy is an update: hosts do not boot for the first time, and lack their kernel arguments."""
    monkeypatch.setattr(cli, "_up", lambda *_: 0)
    paths = LabPaths(tmp_path, "one")
    lab_state.create(paths, {"release": "ocata", "hosts": []})
    deployed = [paths.state / name for name in ("undercloud/overcloud.json", "nova/instance", "images/image")]
    for file in deployed:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    cli._reset(paths, argparse.Namespace())

    assert not [file for file in deployed if file.exists()]
