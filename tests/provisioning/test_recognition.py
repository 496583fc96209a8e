"""A cloud's deployer is recognised by its hosts, where its file does not name one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from access.local_host import LocalHost
from cloud_file.cloud import Cloud
from cloud_file.deployer import deployer_of
from cloud_file.loading import CLOUDS_DIRECTORY, load
from cloud_file.sections.deployment import NovaPlaces
from probes import deployer_signs
from probes.deployer_signs import Signs
from provisioning.recognition import shown_by, with_deployer

KOLLA = Signs(frozenset(["/etc/kolla/nova-compute"]), frozenset(["docker"]))
DEBIAN = Signs(frozenset(["/var/lib/dpkg/info/nova-common.list"]), frozenset())


@pytest.fixture
def cloud() -> Cloud:
    """It names neither a deployer nor where anything lies."""
    found = load(CLOUDS_DIRECTORY / "examples" / "existing.yaml")
    return found.model_copy(update={"nova": NovaPlaces()})


def test_hosts_show_their_deployer(cloud: Cloud) -> None:
    """Containers of kolla are restarted by docker, units of Debian by the name that they have there."""
    assert deployer_of(shown_by(cloud, [KOLLA])).service("nova-compute").restart == "docker restart nova_compute"
    assert deployer_of(shown_by(cloud, [DEBIAN])).service("nova-compute").restart == "systemctl restart nova-compute"


def test_the_engine_that_is_installed_is_the_one_that_is_used(cloud: Cloud) -> None:
    """kolla-ansible runs on podman, too."""
    podman = Signs(KOLLA.paths, frozenset(["podman"]))
    both = Signs(KOLLA.paths, frozenset(["podman", "docker"]))
    service = deployer_of(shown_by(cloud, [podman, podman])).service("nova-api")

    assert service.restart == "systemctl restart kolla-nova_api-container"
    assert service.anchor.startswith("podman inspect --format '{{.State.Pid}}'")
    assert deployer_of(shown_by(cloud, [both])).container_engine == "docker"


def test_hosts_that_contradict_each_other_show_none(cloud: Cloud) -> None:
    """A half-moved cloud is judged by Nova's own names."""
    assert shown_by(cloud, [KOLLA, DEBIAN]).deployer is None
    assert shown_by(cloud, []).deployer is None


def test_what_the_file_says_is_not_asked(cloud: Cloud) -> None:
    """Nor is the deployer of a cloud that is deployed by us: no host is reached."""
    named = cloud.model_copy(update={"deployer": "openstack-ansible"})

    assert with_deployer(named) is named


def test_signs_are_read_from_a_real_host(tmp_path: Path) -> None:
    """What is there is told, what is not is left out."""
    (tmp_path / "there").mkdir()
    found = deployer_signs.read(LocalHost("here"), [str(tmp_path / "there"), str(tmp_path / "absent")])

    assert found.paths == {str(tmp_path / "there")}


@pytest.mark.parametrize(
    ("role", "cards", "kinds"),
    [
        ("compute", True, (True, False)),
        ("gpu-compute", True, (True, False)),
        ("ComputeGpu", False, (True, False)),
        ("hypervisor", False, (True, False)),
        ("Gpu", True, (True, False)),
        ("controller", False, (False, True)),
        ("control-plane", False, (False, True)),
        ("ControllerCompute", True, (True, True)),
        ("CephStorage", False, (False, False)),
    ],
)
def test_roles_are_told_by_their_words(role: str, cards: bool, kinds: tuple[bool, bool], tmp_path: Path) -> None:
    """A host with cards is one that instances run on, whatever its role is called and written."""
    data = yaml.safe_load((CLOUDS_DIRECTORY / "examples" / "existing.yaml").read_text(encoding="utf-8"))
    gpus = [{"model": "A100-PCIE-40GB", "count": 2}] if cards else []
    data["hosts"].append({"name": "odd-1", "role": role, "address": "192.0.2.99", "gpus": gpus})
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    host = load(file).host("odd-1")

    assert (host.is_compute, host.is_controller) == kinds
