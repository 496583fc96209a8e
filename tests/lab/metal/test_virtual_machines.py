"""The virtual machines of the metal tier, as far as they can be looked at without starting one."""

from __future__ import annotations

import configparser
import copy
import json
import struct
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud_file.work_folder import REPOSITORY
from lab import state as lab_state
from lab.errors import LabError
from lab.hosts.hardware.declaration import check_declaration
from lab.metal import debian, disk, machine, network, nova_compute, seed, tier
from lab.metal.layout import MetalDir
from lab.paths import LabPaths
from lab.state import LabState

DECLARATION = yaml.safe_load((REPOSITORY / "lab/declarations/metal.yaml").read_text())


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabState:
    """A lab that has its secrets and was never started."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # it claims no network of this machine's labs
    return lab_state.create(LabPaths(tmp_path, "metal"), copy.deepcopy(DECLARATION))


@pytest.fixture
def words(state: LabState, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """QEMU's command line of the GPU host."""
    monkeypatch.setattr(debian, "program", lambda root, name, *arguments: [name, *arguments])
    return machine.command(state, "gpu-0")


def test_the_declaration_can_exist_and_has_a_virtual_machine(state: LabState):
    check_declaration(DECLARATION)

    assert state.metal == ["gpu-0"]
    assert state.computes == []
    assert [host["name"] for host in state.emulated] == ["undercloud", "controller-0"]
    assert state.connection()["hosts"]["gpu-0"] == f"{state.network}.0.20"


def test_each_card_stands_below_the_bridge_of_its_numa_node(words: list[str]):
    cards = [json.loads(word) for word in words if word.startswith('{"driver": "vfio-user-pci"')]
    bridges = [word for word in words if word.startswith("pxb-pcie")]
    ports = [word for word in words if word.startswith("pcie-root-port")]

    assert [card["bus"] for card in cards] == ["port0", "port1"]
    assert ["numa_node=0" in bridges[0], "numa_node=1" in bridges[1]] == [True, True]
    assert ["bus=bridge0" in ports[0], "bus=bridge1" in ports[1]] == [True, True]
    assert len({card["socket"]["path"] for card in cards}) == 2


def test_the_iommu_follows_the_declared_firmware(state: LabState, words: list[str]):
    assert any(word.startswith("intel-iommu,intremap=on,caching-mode=on") for word in words)

    state.declared("gpu-0")["firmware"] = {"iommu": True, "interrupt_remapping": False}
    assert any(word.startswith("intel-iommu,intremap=off") for word in machine.command(state, "gpu-0"))
    state.declared("gpu-0")["firmware"] = {"iommu": False}
    assert not any(word.startswith("intel-iommu") for word in machine.command(state, "gpu-0"))


def test_a_card_at_an_address_that_the_machine_does_not_have_is_refused(state: LabState, words: list[str]):
    state.declared("gpu-0")["gpus"][1]["address"] = "0000:84:00.0"

    with pytest.raises(LabError, match=r"0000:84:00\.0 is no slot here; card 1 is at bus 81"):
        machine.command(state, "gpu-0")


def test_the_machine_is_reached_at_its_address_and_reaches_every_api(state: LabState, words: list[str]):
    net = next(word for word in words if word.startswith("user,"))
    settings = json.loads(network.relay_settings(state))

    assert f"hostfwd=tcp:{state.network}.0.20:2222-10.0.2.15:22" in net
    assert {5000, 8774, 8778, 9292, 9696} <= set(settings["ports"])
    for port in settings["ports"]:
        assert f"guestfwd=tcp:{settings['gateway']}:{port}-cmd:" in net
    assert f"{state.paths.sockets}/bus.sock" in net


def test_every_process_of_a_machine_is_known_by_the_lab_s_marker(state: LabState, words: list[str]):
    """What is stopped with the lab is found by its command line."""
    assert any(state.marker in word for word in words)


def test_the_partition_begins_and_ends_within_the_disk():
    table = disk.partition_table(64)

    assert len(table) == 512
    assert table[-2:] == b"\x55\xaa"
    status, kind = table[446], table[450]
    first, sectors = struct.unpack_from("<II", table, 454)
    assert (status, kind, first) == (0x80, 0x83, 2048)
    assert (first + sectors) * 512 == 64 << 20
    assert table[462:510] == bytes(48)


def test_the_seed_has_the_host_s_own_files_and_is_private(state: LabState, tmp_path: Path):
    target = tmp_path / "seed.tar"
    seed.write(state, "gpu-0", target)

    assert target.stat().st_mode & 0o777 == 0o600
    assert target.stat().st_size % 512 == 0
    with tarfile.open(target) as archive:
        entries = {entry.name: entry for entry in archive.getmembers()}
    assert entries["etc/ssh/ssh_host_ed25519_key"].mode == 0o600
    assert entries["etc/nova/nova-compute.conf"].mode == 0o600
    assert "home/heat-admin/.ssh/authorized_keys" in entries
    assert not any(name.startswith(("/", "..")) for name in entries)


def test_a_seed_that_is_written_twice_has_the_same_host_key(state: LabState):
    assert seed.host_key(state, "gpu-0").read_bytes() == seed.host_key(state, "gpu-0").read_bytes()
    assert tier.known_hosts(state)[0].startswith(f"[{state.network}.0.20]:2222 ssh-ed25519 ")


def options_of(content: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.read_string(content)
    return parser


def test_nova_compute_has_libvirt_s_driver_and_reaches_the_control_plane(state: LabState):
    own = options_of(nova_compute.files(state, "gpu-0")["/etc/nova/nova-compute.conf"])

    assert own["DEFAULT"]["compute_driver"] == "libvirt.LibvirtDriver"
    assert own["DEFAULT"]["host"] == "gpu-0"
    assert own["libvirt"]["virt_type"] == "qemu"
    assert own["libvirt"]["num_pcie_ports"] == "16", "of the layout's own file"
    assert own["placement"]["auth_url"] == state.identity_url
    assert not own.has_section("database"), "computes cannot reach the database"


def test_no_file_of_nova_names_a_place_outside_of_the_machine(state: LabState, tmp_path: Path):
    for content in nova_compute.files(state, "gpu-0").values():
        assert str(tmp_path) not in content
        assert str(REPOSITORY) not in content


def test_what_the_operator_configures_comes_from_the_layout(state: LabState):
    conf = nova_compute.files(state, "gpu-0")["/etc/nova/nova.conf"]

    assert 'device_spec = {"vendor_id": "10de", "product_id": "15f8"}' in conf
    assert '"name": "a1"' in conf


def test_a_change_of_what_is_installed_makes_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = debian.key()
    other: dict[str, Any] = yaml.safe_load(debian.PACKAGES_FILE.read_text())
    (tmp_path / "packages.yaml").write_text(yaml.safe_dump({**other, "packages": [*other["packages"], "podman"]}))
    monkeypatch.setattr(debian, "PACKAGES_FILE", tmp_path / "packages.yaml")

    assert debian.key() != before


def test_files_of_two_machines_do_not_meet(state: LabState):
    one, two = MetalDir(state.paths, "gpu-0"), MetalDir(state.paths, "gpu-1")

    assert {one.disk, one.seed, one.control, one.socket_of(0), one.ailment_of(0)}.isdisjoint(
        {two.disk, two.seed, two.control, two.socket_of(0), two.ailment_of(0)}
    )
