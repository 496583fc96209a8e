"""Machines of a lab of their own, without a control plane."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab_machines import DECLARATION, Machines

from lab import state as lab_state
from lab.paths import LabPaths


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A daemon with no machine yet."""
    real = LabPaths.of()
    if not (real.userland / "usr/bin/bash").exists():
        pytest.skip("the machines' userland is not unpacked yet: make accept, or python -m lab up")
    home = tmp_path_factory.mktemp("lab-home")
    (home / "cache").symlink_to(real.cache)
    state = lab_state.create(LabPaths(home, "hosts"), DECLARATION)
    lab = Machines(state)
    yield lab
    for machine in lab.client.list():
        lab.client.destroy(machine["name"])
    lab.daemon.terminate()
    lab.daemon.wait(timeout=10)
    shutil.rmtree(state.paths.sockets, ignore_errors=True)


@pytest.fixture(scope="session")
def compute(machines: Machines) -> str:
    """The declared compute host, running, with the IOMMU enabled."""
    name = machines.define("compute-0")
    machines.client.boot(name)
    machines.reboot_with(name, "intel_iommu=on iommu=pt")
    return name


@pytest.fixture
def host(machines: Machines) -> Iterator[Callable[..., str]]:
    """Define and boot a machine of this test's own: `host(firmware={...})`; gone afterwards."""
    made: list[str] = []

    def define(**changes: Any) -> str:
        name = machines.define(f"host-{len(machines.client.list())}", **changes)
        made.append(name)
        machines.client.boot(name)
        return name

    yield define
    for name in made:
        machines.client.destroy(name)
