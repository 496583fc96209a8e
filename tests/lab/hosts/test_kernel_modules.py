"""The modules of an emulated kernel are made once and shared by all labs of a checkout."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from lab.hosts.boot import kernel_modules
from lab.paths import LabPaths

RELEASE = "3.10.0-693.el7.x86_64"
LABS = 3


@pytest.fixture
def paths(tmp_path: Path) -> LabPaths:
    """A cache with a userland and without kernels."""
    real = LabPaths.of()
    if not (real.userland / "usr/bin/bash").exists():
        pytest.skip("the machines' userland is not unpacked yet: make accept, or python -m lab up")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/userland").symlink_to(real.userland)
    return LabPaths(tmp_path, "modules")


def test_labs_that_start_at_the_same_time_share_one_copy(paths: LabPaths, tmp_path: Path) -> None:
    """Labs that start at once end with one copy of the modules in the cache."""
    trees = [tmp_path / f"usr-{number}" for number in range(LABS)]
    with ProcessPoolExecutor(LABS, mp_context=multiprocessing.get_context("fork")) as pool:
        for done in [pool.submit(kernel_modules.install, paths, RELEASE, tree) for tree in trees]:
            done.result()

    assert len(list((paths.cache / "kernels").iterdir())) == 1
    indexes = {(tree / "lib/modules" / RELEASE / "modules.dep").read_text() for tree in trees}
    assert len(indexes) == 1
    assert "nouveau.ko" in indexes.pop()
