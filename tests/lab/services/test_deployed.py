"""Layouts of deployers in the lab: the names that deployers use, copies of containers, the order of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cloud_file.deployer import all_signs, load_deployer, recognised
from cloud_file.loading import CLOUDS_DIRECTORY, load
from lab.hosts.layout import MachineDir
from lab.paths import REPOSITORY, LabPaths
from lab.services.deployed import SERVICES, copy_in, deployed, files_of
from lab.state import LAYOUTS, LabState
from lab.undercloud import deployed_files
from probes import nova_conf

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
        copied = {_directory(outside): inside for outside, inside in shown.copies}
        assert known.enter or not shown.container or copied[known.nova_conf] == known.read_as


def _directory(outside: str) -> str:
    """A pattern's directory; other paths as they are."""
    return outside.rpartition("/")[0] + "/" if "*" in outside else outside


@pytest.mark.parametrize("layout", NAMES)
def test_each_service_reads_aliases_of_the_declared_cards(layout: str, tmp_path: Path) -> None:
    """Nothing is left unfilled, and nova-compute has the device specs."""
    state = _lab(tmp_path, layout)
    for service in SERVICES:
        shown = deployed(state, _process(service))
        copy_in(state, shown)
        files = [(str(file), file.read_text(encoding="utf-8")) for file in files_of(state, shown)]
        found = nova_conf.parse_files(files)
        assert "@" not in "".join(text for _, text in files)
        assert [alias["name"] for alias in found.aliases] == ["a1", "a2"]
        assert [spec["product_id"] for spec in found.device_specs] == (["2331"] if service == "nova-compute" else [])
        assert ("PciPassthroughFilter" in (found.filters or ())) == (
            service == "nova-scheduler" or found.filters is not None
        )


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
    assert [file.name for file in found] == ["nova.conf", "01-nova.conf", "03-gpu-nova.conf", "nova-blank.conf"]
    assert found[0].read_text(encoding="utf-8") == ""


def test_what_a_pod_has_mounted_it_sees_as_it_is_now(tmp_path: Path) -> None:
    """openstack-helm: nova.conf is as it was at the start, a projected directory as the host has it."""
    state = _lab(tmp_path, "openstack-helm")
    service = deployed(state, "nova-compute-compute-0")
    copy_in(state, service)
    secrets = MachineDir(state.paths, "compute-0").path("/srv/secrets")
    (secrets / "nova-compute-default" / "nova.conf").write_text("[pci]\n", encoding="utf-8")
    (secrets / "nova-etc-snippets" / "gpu.conf").write_text("[pci]\n", encoding="utf-8")

    found = files_of(state, service)
    shared = ["nova-console.conf", "nova-libvirt.conf", "nova-hypervisor.conf"]
    assert [file.name for file in found] == ["nova.conf", *shared, "gpu.conf", "nova-ks-etc.conf"]
    assert "alias" in found[0].read_text(encoding="utf-8")


def test_an_lxc_container_reads_its_own_disk(tmp_path: Path) -> None:
    """OpenStack-Ansible: what stands on the metal host is not what the scheduler reads."""
    state = _lab(tmp_path, "openstack-ansible")
    service = deployed(state, "nova-scheduler")
    copy_in(state, service)

    found = files_of(state, service)
    assert [str(file).rpartition("/rootfs")[2] for file in found] == ["/etc/nova/nova.conf"]


@pytest.mark.parametrize("layout", NAMES)
def test_a_layout_is_recognised(layout: str, tmp_path: Path) -> None:
    """Its hosts have the signs of its deployer, and of no other one."""
    state = _lab(tmp_path, layout)
    for role in ("Controller", "Compute"):
        machine = MachineDir(state.paths, state.hosts(role)[0])
        there = [sign for sign in all_signs() if _is_there(machine, sign)]
        assert recognised(there) in (layout, None)
        assert role == "Controller" or recognised(there) == layout


def _is_there(machine: MachineDir, path: str) -> bool:
    try:
        return machine.path(path).exists()
    except ValueError:  # none of its disks
        return False
