"""Deployments that stand side by side below one directory are judged each for itself, with what they share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from written import codes_in, findings_in, write

from preflight.cli import inspect, main

SPEC = '[pci]\ndevice_spec = {"vendor_id": "10de", "product_id": "%s"}\n'
ALIAS = (
    '[pci]\nalias = {"name": "gpu", "vendor_id": "10de", "product_id": "%s", "device_type": "type-PCI"}\n'
    "[filter_scheduler]\nenabled_filters = ComputeFilter,PciPassthroughFilter\n"
)
DEPLOY = "#!/bin/bash\nopenstack overcloud deploy --templates -e gpu.yaml\n"
GLOBALS = "openstack_release: {release}\nkolla_base_distro: ubuntu\n"


def kolla(card: str, release: str = "'2025.1'") -> dict[str, str]:
    """kolla-ansible's configuration of one cloud with one model of card; healthy."""
    both = SPEC.partition("\n")[2] % card + (ALIAS % card).partition("\n")[2]
    return {"globals.yml": GLOBALS.format(release=release), "config/nova.conf": f"[pci]\n{both}"}


def below(folder: str, files: dict[str, str]) -> dict[str, str]:
    """The same files one directory further down."""
    return {f"{folder}/{name}": text for name, text in files.items()}


@pytest.mark.parametrize(
    ("first", "second"), [("prod", "staging"), ("a/kolla", "b/kolla"), ("environments/x", "environments/y")]
)
def test_the_cards_of_one_cloud_are_not_missed_in_the_other(tmp_path: Path, first: str, second: str) -> None:
    """Two clouds with other cards: nothing to find in either, and nothing between them."""
    assert not codes_in(tmp_path, {**below(first, kolla("15f8")), **below(second, kolla("1db4"))})


def test_a_fault_of_one_cloud_is_not_hidden_by_the_other(tmp_path: Path) -> None:
    """Staging's alias asks for a card that only production gives away: together they looked complete."""
    wrong = {**kolla("15f8"), "config/nova.conf": (ALIAS % "1db4").replace("[pci]\n", SPEC % "15f8")}
    whole = findings_in(tmp_path / "one", wrong)
    beside = findings_in(tmp_path / "two", {**below("prod", kolla("1db4")), **below("staging", wrong)})

    assert [item.code for item in beside] == [item.code for item in whole]
    assert whole
    assert all("staging" in item.location.path.parts for item in beside)


def test_what_lies_outside_of_both_is_of_both(tmp_path: Path) -> None:
    """kayobe's base configuration and its environments: the alias stands once for all."""
    files = {
        "etc/kayobe/kolla/config/nova.conf": ALIAS % "15f8",
        "etc/kayobe/environments/prod/kolla/config/nova/nova-compute.conf": SPEC % "15f8",
        "etc/kayobe/environments/test/kolla/config/nova/nova-compute.conf": SPEC % "15f8",
    }

    read, found = inspect([write_all(tmp_path, files)])

    assert [own.name for own, _ in read.deployments] == ["prod", "test"]
    assert all(len(part.texts) == 2 for _, part in read.deployments)
    assert not [item.code for item in found if item.code.startswith("GP1")]


def test_teams_with_two_clouds_each_have_four(tmp_path: Path) -> None:
    """The innermost are told apart."""
    files = {
        name: text
        for team in "ab"
        for cloud in ("prod", "test")
        for name, text in below(f"{team}/{cloud}", kolla("15f8")).items()
    }

    read, found = inspect([write_all(tmp_path, files)])

    assert [str(own.relative_to(tmp_path)) for own, _ in read.deployments] == ["a/prod", "a/test", "b/prod", "b/test"]
    assert not found


def test_a_collection_of_examples_is_no_crowd_of_deployments(tmp_path: Path) -> None:
    """Each would be judged with all that it shares: too many are judged together."""
    files = {name: text for number in range(40) for name, text in below(f"example-{number}", kolla("15f8")).items()}

    assert not inspect([write_all(tmp_path, files)])[0].deployments


@pytest.mark.parametrize(
    "files",
    [
        {"nova/compute-0/nova.conf": SPEC % "15f8", "nova/compute-1/nova.conf": SPEC % "2331"},
        {"controller/local.conf": "[[local|localrc]]\n", "compute/local.conf": "[[local|localrc]]\n"},
        {"scripts/deploy.sh": DEPLOY, "scripts/old/deploy.sh": DEPLOY},
        {"day1/deploy.sh": DEPLOY, "day2/scale.sh": DEPLOY},
        {"kolla/globals.yml": GLOBALS.format(release="zed"), "kolla/globals.d/gpu.yml": GLOBALS.format(release="zed")},
        {"bundles/bundle.yaml": "applications: {nova: {charm: nova}}\n", "overlays/gpu.yaml": "applications: {}\n"},
        {"environments/net/a.yaml": "parameter_defaults: {}\n", "environments/gpu/a.yaml": "parameter_defaults: {}\n"},
    ],
)
def test_parts_of_one_deployment_stay_together(tmp_path: Path, files: dict[str, str]) -> None:
    """Hosts, nodes, steps, older copies within and files beside each other are no deployments of their own."""
    assert not inspect([write_all(tmp_path, files)])[0].deployments


def test_each_has_its_own_release_and_the_summary_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A release that files of two clouds contradict is none of the other's business."""
    files = {**below("prod", kolla("15f8", "'2024.1'")), **below("test", kolla("15f8", "'2025.1'"))}
    write(tmp_path, files)

    assert main([str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "2 deployments side by side, each judged for itself" in text
    assert f"{tmp_path / 'prod'}: release: 2024.1" in text
    assert f"{tmp_path / 'test'}: release: 2025.1" in text
    main([str(tmp_path), "--format", "json"])
    assert [item["release"]["name"] for item in json.loads(capsys.readouterr().out)["deployments"]] == [
        "2024.1",
        "2025.1",
    ]


def write_all(folder: Path, files: dict[str, str]) -> Path:
    """The folder with these files in it."""
    write(folder, files)
    return folder
