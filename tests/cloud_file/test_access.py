"""What a cloud file says of access: each example of docs/access.md loads, and contradictions are told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from access.errors import CloudFileError
from cloud_file.cloud import Cloud
from cloud_file.loading import CLOUDS_DIRECTORY, load
from cloud_file.work_folder import REPOSITORY

EXAMPLE = CLOUDS_DIRECTORY / "examples" / "existing.yaml"
PIECES = re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "docs" / "access.md").read_text(encoding="utf-8"), re.S)


def loaded(folder: Path, **changes: Any) -> Cloud:
    """The example of an existing cloud with some sections replaced; None leaves one out."""
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")) | changes
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return load(file)


def test_the_page_has_its_examples():
    assert len(PIECES) >= 7


@pytest.mark.parametrize("piece", PIECES, ids=lambda text: text.split(":")[0])
def test_an_example_of_the_page_loads(piece: str, tmp_path: Path):
    loaded(tmp_path, **yaml.safe_load(piece))


QUOTA = {"cores": 99, "memory_mb": 99999, "instances": 9}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "two ways": (
        {"overcloud_access": {"via_undercloud": True, "bastions": [{"address": "b"}]}},
        "overcloud_access.bastions: either via_undercloud or bastions",
    ),
    "floating without external": (
        {"networks": {"tenant": {"name": "t"}}, "guest_access": {"address": "floating"}},
        "guest_access.address: floating IPs come from networks.external",
    ),
    "unverified with an authority": (
        {"openstack": {"cloud": "c", "verify": False, "cacert": "/ca.pem"}},
        "openstack.verify: `false` checks nothing",
    ),
    "no login": (
        {"tenant": {"existing": True, "project": "p", "user": "u"}},
        "tenant: an existing user logs in either by password",
    ),
    "two logins": (
        {"tenant": {"existing": True, "project": "p", "user": "u", "cloud": "c", "password": {"env": "X"}}},
        "tenant: an existing user logs in either by password",
    ),
    "quota of others": (
        {"tenant": {"existing": True, "project": "p", "user": "u", "cloud": "c", "quota": QUOTA}},
        "tenant.quota: an existing project keeps its quota",
    ),
    "cloud of a user that is made": (
        {"tenant": {"project": "p", "user": "u", "cloud": "c", "quota": QUOTA}},
        "tenant.cloud: is how an existing user logs in",
    ),
    "neither cloud nor rc file": ({"openstack": {"region": "west"}}, "openstack: name either cloud"),
    "no quota": ({"tenant": {"project": "p", "user": "u"}}, "tenant.quota: is missing"),
    "nothing to install": ({"cuda": {"version": "12.4"}}, "cuda.packages: is missing"),
    "installed twice": (
        {"cuda": {"version": "12.4", "installed": True, "packages": ["cuda-drivers"]}},
        "cuda.packages: is installed by nobody",
    ),
    "bastion that is a command": (
        {"guest_access": {"bastions": [{"address": "-oProxyCommand=reboot"}]}},
        "guest_access.bastions[0].address: '-oProxyCommand=reboot' does not fit",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_contradicts_itself_is_told(case: str, tmp_path: Path):
    changes, words = WRONG[case]

    with pytest.raises(CloudFileError) as caught:
        loaded(tmp_path, **changes)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_compute", "is_controller"),
    [
        ({"role": "compute"}, True, False),
        ({"role": "gpu-compute"}, True, False),
        ({"role": "ComputeGpu"}, True, False),
        ({"role": "hypervisors"}, True, False),
        ({"role": "Controller"}, False, True),
        ({"role": "storage"}, False, False),
        ({"role": "rack-7", "is_compute": True}, True, False),
        ({"role": "rack-7", "is_controller": True}, False, True),
        ({"role": "compute", "is_compute": False}, False, False),
        ({"role": "all-in-one", "is_compute": True, "is_controller": True}, True, True),
        ({"role": "control", "is_controller": False, "is_compute": True}, True, False),
    ],
)
def test_roles_have_any_name(host: dict[str, Any], is_compute: bool, is_controller: bool, tmp_path: Path):
    """The file says it, or the role's name tells."""
    hosts = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["hosts"]

    found = loaded(tmp_path, hosts=[*hosts, {"name": "other", "address": "192.0.2.9", **host}]).host("other")

    assert (found.is_compute, found.is_controller) == (is_compute, is_controller)


def test_names_of_an_existing_tenant_get_no_prefix(tmp_path: Path):
    made = loaded(tmp_path)
    assert (made.tenant_project, made.tenant_user) == ("gpuacc-gpu-acceptance", "gpuacc-gpu-acceptance")

    theirs = loaded(tmp_path, tenant={"existing": True, "project": "GPU Team", "user": "a@b.org", "cloud": "c"})

    assert (theirs.tenant_project, theirs.tenant_user) == ("GPU Team", "a@b.org")
