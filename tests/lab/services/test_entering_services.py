"""kubectl, lxc-attach and snap of the lab's nodes: what they understand, and that they refuse everything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lab.paths import REPOSITORY, LabPaths
from lab.undercloud import lxc, pods, snap


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Let the tools be called on a machine of a lab that is written and not started."""

    def of(layout: str, machine: str) -> None:
        monkeypatch.setenv("GPU_LAB_HOME", str(tmp_path))
        monkeypatch.setenv("LAB_NAME", "x")
        monkeypatch.setenv("LAB_MACHINE", machine)
        paths = LabPaths.of("x")
        declaration = yaml.safe_load((REPOSITORY / "lab/declarations" / f"{layout}.yaml").read_text(encoding="utf-8"))
        paths.state.mkdir(parents=True)
        content = json.dumps({"network": "127.1", "declaration": declaration})
        (paths.state / "lab.json").write_text(content, encoding="utf-8")

    return of


Node = Callable[[str, str], None]
Said = pytest.CaptureFixture[str]


def test_pods_are_told_by_name(node: Node, capsys: Said) -> None:
    """None of their processes runs, so none is ready; a pod of several containers is one line."""
    node("sunbeam", "controller-0")

    assert pods.k8s(["kubectl", "-n", "openstack", "get", "pods"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["nova-0  0/3  CrashLoopBackOff"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-n openstack exec nova-9 -c nova-api -- true", 'pods "nova-9" not found'),
        ("-n openstack exec nova-0 -c httpd -- true", "container httpd is not valid for pod nova-0"),
        ("-n openstack exec nova-0 -c nova-api -- true", "container not found"),
        ("exec nova-0 -c nova-api -- true", 'namespaces "default" not found'),
        ("--namespace=openstack delete pod nova-9", '"nova-9" not found'),
        ("-n openstack rollout restart statefulset/nova-9", '"statefulset/nova-9" not found'),
        ("-n openstack apply -f x.yaml", "does not understand"),
    ],
)
def test_kubectl_says_what_is_not_there(words: str, message: str, node: Node, capsys: Said) -> None:
    """As the real one does, and with its exit code."""
    node("sunbeam", "controller-0")

    assert pods.kubectl(words.split()) == 1
    assert message in capsys.readouterr().err


def test_a_cloud_without_pods_has_no_kubectl(node: Node, capsys: Said) -> None:
    """The shell says so."""
    node("kolla-ansible", "controller-0")

    assert pods.kubectl(["get", "pods"]) == 127
    assert "command not found" in capsys.readouterr().err


def test_lxc_containers_are_those_of_their_host(node: Node, capsys: Said) -> None:
    """Computes have none."""
    node("openstack-ansible", "controller-0")
    assert lxc.lxc_ls(["-1"]) == 0
    (name,) = capsys.readouterr().out.split()

    assert lxc.lxc_attach(["-n", name, "--", "systemctl", "is-active", "nova-scheduler"]) == 3
    assert lxc.lxc_attach(["-n", name, "--", "systemctl", "restart", "nova-compute"]) == 5
    assert lxc.lxc_attach(["-n", "another", "--", "true"]) == 1
    assert "not defined" in capsys.readouterr().err


def test_a_snap_restarts_its_own_apps_alone(node: Node, capsys: Said) -> None:
    """Another name is an error, as is a word that it does not know."""
    node("sunbeam", "compute-0")

    assert snap.snap(["services"]) == 0
    assert "openstack-hypervisor.nova-compute" in capsys.readouterr().out
    assert snap.snap(["restart", "openstack-hypervisor.nova-api"]) == 1
    assert snap.snap(["set", "x=y"]) == 1
