"""The same checks on a cloud that somebody else made: no undercloud, no release, its own image and network."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml
from whole_lab import REPOSITORY, WholeLab

from judging.records import Verdict


@pytest.fixture
def existing(lab: WholeLab) -> Iterator[WholeLab]:
    """The lab's cloud, deployed by the main job, seen as a cloud that is only there; gone for the next test."""
    run = lab.accept("--keep", "-k", "test_the_stack_is_complete")
    assert run.exit_code == 0, run.output
    yield lab
    lab.accept("--cleanup")


def _cloud_file(lab: WholeLab) -> str:
    """A cloud file of kind existing, and the clouds.yaml that it names."""
    connection = json.loads((lab.home / "default" / "connection.json").read_text())
    variables = json.loads((lab.home / "runs" / "credentials.json").read_text())["admin"]
    auth = {
        "auth_url": variables["OS_AUTH_URL"],
        "username": variables["OS_USERNAME"],
        "password": variables["OS_PASSWORD"],
        "project_name": variables["OS_PROJECT_NAME"],
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    clouds = lab.home / "clouds.yaml"
    clouds.write_text(yaml.safe_dump({"clouds": {"ours": {"auth": auth, "region_name": "RegionOne"}}}))
    clouds.chmod(0o600)
    content = yaml.safe_load((REPOSITORY / "clouds" / "lab.yaml").read_text())
    for key in ("release", "deploy", "runs_directory"):
        content.pop(key, None)
    content |= {
        "kind": "existing",
        "prefix": "other",
        "openstack": {"cloud": "ours"},
        "overcloud_access": {
            "port": connection["ssh_port"],
            "key_file": connection["ssh_key"],
            "known_hosts": connection["known_hosts"],
        },
        "hosts": [{**host, "address": connection["hosts"][host["name"]]} for host in content["hosts"]],
        "image": {"name": "gpuacc-rhel-7.4-gpu", "ssh_port": connection["ssh_port"]},
        "networks": {
            "external": {"name": "gpuacc-external", "existing": True},
            "tenant": {"name": "tenant", "cidr": "192.168.178.0/24"},
        },
        "guests": [{"name": "one-card", "flavor": "m1.xmedium"}],
        "excused_cards": [{"cards": 3, "reason": "the other cards are those of the people who use this cloud"}],
        "runs_directory": str(lab.home / "existing-runs"),
    }
    file = lab.home / "existing.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(file)


def test_a_cloud_that_was_there_before_is_accepted_and_left_as_it_was(existing: WholeLab):
    """Every layer but the undercloud is checked; image and external network of others stay."""
    file = _cloud_file(existing)

    run = existing.accept(cloud=file)

    assert run.exit_code == 0, run.output
    assert set(run.verdicts.values()) == {Verdict.PASSED}
    assert not [check for check, _ in run.verdicts if check.startswith("undercloud.")]
    assert {"host.iommu.cmdline", "control_plane.alias.compute", "cuda.bandwidth"} <= {
        check for check, _ in run.verdicts
    }
    assert not (existing.home / "existing-runs" / "ledger.jsonl").exists()

    again = existing.accept("--reuse")
    assert again.exit_code == 0, again.output
