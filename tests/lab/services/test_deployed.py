"""Layouts of deployers in the lab: the names that deployers use, copies of containers, the order of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cloud_file.deployer import load_deployer
from cloud_file.loading import CLOUDS_DIRECTORY, load
from lab.hosts.layout import MachineDir
from lab.paths import REPOSITORY, LabPaths
from lab.services.deployed import SERVICES, copy_in, deployed, files_of
from lab.state import LAYOUTS, LabState
from lab.undercloud import deployed_files

NAMES = sorted(path.stem for path in LAYOUTS.glob("*.yaml"))
CLOUDS = {cloud.deployer: cloud for path in CLOUDS_DIRECTORY.glob("lab-*.yaml") if (cloud := load(path.stem)).deployer}


def _lab(folder: Path, layout: str) -> LabState:
    """A lab that is written and not started."""
    declaration = yaml.safe_load((REPOSITORY / "lab" / "declarations" / f"{layout}.yaml").read_text(encoding="utf-8"))
    state = LabState(LabPaths(folder, "x"), "127.1", declaration)
    state.paths.secrets.mkdir(parents=True)
    (state.paths.secrets / "admin").write_text("word", encoding="utf-8")
    for host in declaration["hosts"]:
        machine = MachineDir(state.paths, host["name"])
        (machine.fs / "home" / "stack").mkdir(parents=True)
        machine.machine_file.write_text(json.dumps({"kind": "compute"}), encoding="utf-8")
    deployed_files.populate(state)
    return state


def _process(service: str) -> str:
    return "nova-compute-compute-0" if service == "nova-compute" else service


@pytest.mark.parametrize("layout", NAMES)
def test_a_layout_has_the_names_of_its_deployer(layout: str, tmp_path: Path) -> None:
    """What the suite knows of a deployer is what the lab shows: units, containers, files; and a cloud file uses it."""
    state, deployer = _lab(tmp_path, layout), load_deployer(layout)
    assert CLOUDS[layout].lab_declaration == f"lab/declarations/{layout}.yaml"
    for service in SERVICES:
        shown, known = deployed(state, _process(service)), deployer.service(service)
        assert known.name == (shown.container or shown.unit)
        outside = known.nova_conf if shown.container and not known.enter else None
        assert outside is None or outside in dict(shown.copies)
        assert known.enter or not shown.container or dict(shown.copies)[known.nova_conf] == known.read_as


@pytest.mark.parametrize("layout", NAMES)
def test_each_service_reads_aliases_of_the_declared_cards(layout: str, tmp_path: Path) -> None:
    """Nothing is left unfilled, and nova-compute has the device specs."""
    state = _lab(tmp_path, layout)
    for service in SERVICES:
        shown = deployed(state, _process(service))
        copy_in(state, shown)
        text = "".join(file.read_text(encoding="utf-8") for file in files_of(state, shown))
        assert text.count('"product_id": "2331"') == (3 if service == "nova-compute" else 2 if "alias" in text else 0)
        assert "@" not in text
        assert "alias" in text


def test_a_container_keeps_its_copy_until_it_is_started_again(tmp_path: Path) -> None:
    """What is changed on the host afterwards has no effect."""
    state = _lab(tmp_path, "kolla-ansible")
    service = deployed(state, "nova-scheduler")
    copy_in(state, service)
    written = MachineDir(state.paths, "controller-0").path("/etc/kolla/nova-scheduler/nova.conf")
    written.write_text("[pci]\n", encoding="utf-8")

    assert "enabled_filters" in files_of(state, service)[0].read_text(encoding="utf-8")
    copy_in(state, service)
    assert files_of(state, service)[0].read_text(encoding="utf-8") == "[pci]\n"


def test_files_are_read_in_the_order_of_the_command_line(tmp_path: Path) -> None:
    """Default directories come before the files that the unit names."""
    state = _lab(tmp_path, "packages-debian")
    etc = MachineDir(state.paths, "compute-0").path("/etc/nova")
    (etc / "nova.conf.d").mkdir()
    (etc / "nova.conf.d" / "gpu.conf").write_text("[pci]\n", encoding="utf-8")

    found = files_of(state, deployed(state, "nova-compute-compute-0"))
    assert [file.name for file in found] == ["gpu.conf", "nova.conf", "nova-compute.conf"]


def test_snippets_follow_the_blank_file(tmp_path: Path) -> None:
    """RHOSO: nova.conf is empty, its snippets are read by name."""
    state = _lab(tmp_path, "rhoso")
    service = deployed(state, "nova-compute-compute-0")
    copy_in(state, service)

    found = files_of(state, service)
    assert [file.name for file in found] == ["nova.conf", "01-nova.conf", "03-gpu-nova.conf"]
    assert found[0].read_text(encoding="utf-8") == ""
