"""Inventories of Ansible as people have them: INI, YAML, folders, listings, variables beside them."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.endpoint import Bastion
from access.errors import InputError
from discovery.inventory import read
from discovery.machines import Access, Machine

INI = """
# a kolla-ansible inventory
control1 ansible_host=192.0.2.11
[control]
control1
control[2:3] ansible_host=unset.example.com

[gpu]
gpu[01:12].example.com ansible_port=2222 ansible_user="ops"   # the new racks
old:2022

[compute:children]
gpu
cpu

[cpu]

[compute:vars]
ansible_user=stack
ansible_ssh_private_key_file=/keys/compute

[all:vars]
ansible_user=nobody
[deployment]
localhost ansible_connection=local
"""

YAML = """
all:
  vars:
    ansible_user: root
    domain: example.com
  children:
    control:
      hosts:
        control1: {ansible_host: 192.0.2.11}
    compute:
      vars: {ansible_port: 2222}
      children:
        gpu:
          hosts:
            gpu[01:03]:
              ansible_host: "{{ inventory_hostname }}.{{ domain }}"
            gpu04:
              ansible_host: "{{ lookup('dig', 'gpu04') }}"
            gpu05:
              ansible_user: !vault |
                $ANSIBLE_VAULT;1.1;AES256
                6162
"""


def _read(tmp_path: Path, text: str, name: str = "hosts") -> dict[str, Machine]:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return {machine.name: machine for machine in read(file).machines}


def test_an_ini_inventory_with_groups_ranges_and_variables(tmp_path: Path) -> None:
    """What is said of a host goes before its group, that before the group's parent, that before all."""
    found = _read(tmp_path, INI)

    assert len(found) == 3 + 12 + 1
    assert found["control1"] == Machine(
        "control1", "192.0.2.11", Access("nobody"), frozenset({"control", "ungrouped"}) | {"all"}
    )
    gpu = found["gpu07.example.com"]
    assert (gpu.address, gpu.access) == ("gpu07.example.com", Access("ops", 2222, "/keys/compute"))
    assert gpu.groups == {"gpu", "compute", "all"}
    assert found["old"].access == Access("stack", 2022, "/keys/compute")


def test_a_yaml_inventory_with_groups_ranges_and_variables(tmp_path: Path) -> None:
    """Names of other variables are filled in; what needs Ansible itself becomes a question."""
    file = tmp_path / "hosts.yml"
    file.write_text(YAML, encoding="utf-8")
    named = read(file)
    found = {machine.name: machine for machine in named.machines}

    assert found["gpu02"].address == "gpu02.example.com"
    assert found["gpu02"].access == Access("root", 2222)
    assert found["control1"].access == Access("root")
    assert found["gpu02"].groups == {"gpu", "compute", "all"}
    assert [question.partition(":")[0] for question in named.questions] == ["gpu04", "gpu05"]


def test_variables_beside_the_inventory(tmp_path: Path) -> None:
    """group_vars and host_vars, as files and as folders; an encrypted file is no obstacle."""
    for name, text in {
        "group_vars/all.yml": "ansible_user: root\n",
        "group_vars/gpu/access.yml": "ansible_port: 2222\n",
        "group_vars/gpu/vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n616263\n",
        "host_vars/gpu2.yml": "ansible_host: 192.0.2.22\nansible_become_password: not-for-us\n",
        "group_vars/other.yml": "ansible_user: somebody\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    found = _read(tmp_path, "[gpu]\ngpu[1:2]\n")

    assert found["gpu1"].access == Access("root", 2222)
    assert found["gpu2"].address == "192.0.2.22"
    assert "not-for-us" not in repr(found)


def test_what_ansible_inventory_lists(tmp_path: Path) -> None:
    """The way out for scripts, plugins and vaults; containers of OpenStack-Ansible are no machines to log in to."""
    listing = {
        "_meta": {
            "hostvars": {
                "gpu1": {"ansible_host": "192.0.2.21", "ansible_port": 2222},
                "infra1_nova_api_container-1a2b": {"ansible_host": "192.0.2.99", "is_metal": False},
            }
        },
        "all": {"children": ["compute_hosts", "nova_api"]},
        "compute_hosts": {"hosts": ["gpu1"], "vars": {"ansible_user": "root"}},
        "nova_api": {"hosts": ["infra1_nova_api_container-1a2b"]},
    }

    found = _read(tmp_path, json.dumps(listing), "inventory.json")

    assert found == {"gpu1": Machine("gpu1", "192.0.2.21", Access("root", 2222), frozenset({"compute_hosts", "all"}))}


def test_a_folder_of_inventories(tmp_path: Path) -> None:
    """Each file adds to the others; what editors leave is passed over."""
    (tmp_path / "a.ini").write_text("[control]\ncontrol1\n")
    (tmp_path / "b.yml").write_text("control: {hosts: {control1: {ansible_host: 192.0.2.11}, control2: }}\n")
    (tmp_path / "a.ini~").write_text("[control]\ngone\n")

    found = {machine.name: machine.address for machine in read(tmp_path).machines}

    assert found == {"control1": "192.0.2.11", "control2": "control2"}


@pytest.mark.parametrize(
    ("line", "port"),
    [("gpu1:2022", 2022), ("gpu[1:3]", None), ("gpu[1:3]:2022", 2022), ("2001:db8::1", None), ("gpu1", None)],
)
def test_a_port_behind_the_name(tmp_path: Path, line: str, port: int | None) -> None:
    """Not to be taken for a range or a part of an IPv6 address."""
    assert {machine.access.port for machine in _read(tmp_path, f"[gpu]\n{line}\n").values()} == {port}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("hosts", "[gpu\ngpu1\n", "line 1: no section"),
        ("hosts", "[gpu]\ngpu1 ansible_host 192.0.2.1\n", "neither a host nor NAME=VALUE"),
        ("hosts", "[gpu]\ngpu1 ansible_user='ops\n", "line 2"),
        ("hosts", "[gpu]\ngpu[3:1]\n", "line 2: 'gpu[3:1]'"),
        ("hosts", "[gpu:vars]\nansible_user\n", "line 2: no NAME=VALUE"),
        ("hosts", "", "names no host"),
        ("hosts.yml", "all: {hosts: {a: }\n", "not YAML"),
        ("hosts.yml", "- a\n- b\n", "mapping of groups"),
        ("hosts.yml", "all: {host: {a: }}\n", "has host"),
        ("hosts.yml", "plugin: openstack.cloud.openstack\n", "asks the plugin openstack.cloud.openstack"),
        ("hosts.yml", "all: gpu1\n", "no mapping with hosts"),
    ],
)
def test_what_is_no_inventory_is_told_with_its_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    """In a sentence, with the file."""
    with pytest.raises(InputError, match="hosts") as told:
        _read(tmp_path, text, name)

    assert words in str(told.value)


def test_a_program_is_not_run(tmp_path: Path) -> None:
    """An inventory may be a script; what it would print can be given instead."""
    script = tmp_path / "inventory.sh"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\necho '{{}}'\n")
    script.chmod(0o755)

    with pytest.raises(InputError, match="ansible-inventory -i INVENTORY --list"):
        read(script)

    assert not (tmp_path / "was-run").exists()


def test_no_file_no_text_and_too_much_of_it(tmp_path: Path) -> None:
    """Each is said."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large").write_bytes(b"a\n" * (5 * 1024 * 1024))
    (tmp_path / "empty").mkdir()

    for name, words in {
        "none": "there is no",
        "binary": "no text",
        "large": "larger",
        "empty": "no inventory in",
    }.items():
        with pytest.raises(InputError, match=words):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "bastions"),
    [
        ("-o ProxyJump=jump.example.com", (Bastion(address="jump.example.com"),)),
        ("-J ops@jump:2222", (Bastion(address="jump", user="ops", port=2222),)),
        ("-o ProxyJump='a,ops@b'", (Bastion(address="a"), Bastion(address="b", user="ops"))),
    ],
)
def test_a_jump_host_is_gone_through(tmp_path: Path, arguments: str, bastions: tuple[Bastion, ...]) -> None:
    """As Ansible's SSH does."""
    file = tmp_path / "hosts.yml"
    file.write_text(json.dumps({"gpu": {"hosts": {"gpu1": {"ansible_ssh_common_args": arguments}}}}))

    (machine,) = read(file).machines

    assert machine.access == Access(bastions=bastions)


@pytest.mark.parametrize(
    "arguments",
    ['-o StrictHostKeyChecking=no -o ProxyCommand="ssh -W %h:%p ops@jump"', "-o ProxyJump={{ jump }}", "-J ${JUMP}"],
)
def test_what_cannot_be_gone_through_is_asked_about(tmp_path: Path, arguments: str) -> None:
    """A command may be any program, an expression anything; asked about once for all hosts."""
    file = tmp_path / "hosts.yml"
    hosts = {f"gpu{n}": None for n in range(1, 21)}
    file.write_text(json.dumps({"gpu": {"hosts": hosts, "vars": {"ansible_ssh_common_args": arguments}}}))

    (question,) = read(file).questions

    assert question.startswith("gpu1, gpu2, gpu3")
    assert "and 8 more: reached through another host" in question


def test_this_machine_among_others(tmp_path: Path) -> None:
    """A deployment host without an address is no host of the cloud; one with an address is reached by it."""
    text = "[deployment]\nlocalhost ansible_connection=local\n[control]\ncontrol1\n"

    assert set(_read(tmp_path, text)) == {"control1"}
    assert set(_read(tmp_path, text.replace("local\n", "local ansible_host=192.0.2.9\n", 1))) == {
        "localhost",
        "control1",
    }


def test_groups_in_a_circle_end(tmp_path: Path) -> None:
    """Ansible refuses them; here a host has both groups."""
    found = _read(tmp_path, "[a]\ngpu1\n[a:children]\nb\n[b:children]\na\n")

    assert found["gpu1"].groups == {"a", "b"}


DAMAGE = ["{{", "}}", "\0", "é", "[1:3]", "!vault", "<<", *"[]{}:=#'!&*%@\t\n- |>"]


@settings(max_examples=50, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([("hosts", INI), ("hosts", YAML), ("hosts.yml", YAML)]))
def test_a_damaged_inventory_is_read_or_refused(random: Random, kind: tuple[str, str]) -> None:
    """In words, never by an error of ours."""
    name, text = kind
    letters = list(text)
    for _ in range(random.randint(1, 6)):
        place = random.randrange(len(letters))
        letters[place : place + random.randint(0, 20)] = random.sample(DAMAGE, random.randint(0, 3)) or ["x"]
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(InputError):
        _read(Path(folder), "".join(letters), name)
