"""Computes of RHOSO's node sets and of openstack-helm's labels, as `oc` and `kubectl` print them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from access.errors import InputError, MeasurementError
from discovery.cluster import of_node_sets, of_nodes, read
from discovery.machines import Access, Machine

NODE_SET: dict[str, Any] = {
    "spec": {
        "nodeTemplate": {"ansible": {"ansibleUser": "cloud-admin", "ansiblePort": 2222}},
        "nodes": {
            "edpm-compute-0": {"hostName": "edpm-compute-0", "ansible": {"ansibleHost": "192.168.122.100"}},
            "edpm-compute-1": {
                "hostName": "edpm-compute-1",
                "networks": [{"name": "ctlplane", "fixedIP": "192.168.122.101"}],
                "ansible": {"ansibleUser": "root"},
            },
        },
    }
}
NODES: list[dict[str, Any]] = [
    {
        "metadata": {"name": "ctl1", "labels": {"openstack-control-plane": "enabled"}},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.11"}]},
    },
    {
        "metadata": {"name": "gpu1", "labels": {"openstack-compute-node": "enabled"}},
        "status": {
            "addresses": [{"type": "Hostname", "address": "gpu1"}, {"type": "InternalIP", "address": "192.0.2.21"}]
        },
    },
    {"metadata": {"name": "ceph1", "labels": {}}, "status": {}},
]


def test_nodes_of_a_data_plane() -> None:
    """What a node does not say, the set's template does; pods are asked about."""
    named = of_node_sets([NODE_SET])

    assert named.machines == (
        Machine("edpm-compute-0", "192.168.122.100", Access("cloud-admin", 2222), frozenset({"compute"})),
        Machine("edpm-compute-1", "192.168.122.101", Access("root", 2222), frozenset({"compute"})),
    )
    assert "run in pods" in named.questions[0]


def test_labelled_nodes() -> None:
    """Nodes without a label of OpenStack are left out, unless no node has one."""
    assert [(each.name, each.address, set(each.groups)) for each in of_nodes(NODES).machines] == [
        ("ctl1", "192.0.2.11", {"controller"}),
        ("gpu1", "192.0.2.21", {"compute"}),
    ]
    assert [each.name for each in of_nodes(NODES[2:]).machines] == ["ceph1"]


def _program(folder: Path, sets: str, nodes: str) -> None:
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\ncase "$*" in *openstackdataplane*) {sets};; *) {nodes};; esac\n')
    program.chmod(0o755)


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig, and a path on which only our `kubectl` is found."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "config").write_text("apiVersion: v1\n")
    return tmp_path / "config"


def test_a_cluster_is_asked_through_its_program(kubeconfig: Path) -> None:
    """Node sets first; where the cluster has no such thing, its nodes."""
    (kubeconfig.parent / "nodes.json").write_text(json.dumps({"items": NODES}))
    _program(kubeconfig.parent, "echo no such resource >&2; exit 1", f"cat {kubeconfig.parent}/nodes.json")

    assert [each.name for each in read(kubeconfig).machines] == ["ctl1", "gpu1"]


def test_a_cluster_that_refuses(kubeconfig: Path) -> None:
    """What it says is passed on."""
    _program(kubeconfig.parent, "exit 1", "echo 'You must be logged in to the server (Unauthorized)' >&2; exit 1")

    with pytest.raises(MeasurementError, match="must be logged in"):
        read(kubeconfig)


def test_an_answer_that_is_no_list(kubeconfig: Path) -> None:
    """A proxy's page, for instance."""
    _program(kubeconfig.parent, "exit 1", "echo '<html>'")

    with pytest.raises(MeasurementError, match="no list"):
        read(kubeconfig)


def test_no_kubeconfig(tmp_path: Path) -> None:
    """Said before anything is run."""
    with pytest.raises(InputError, match="no kubeconfig"):
        read(tmp_path / "none")
