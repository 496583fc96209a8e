"""An existing cloud whose administrator's variables lie in an rc file on one of its hosts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from access.errors import InputError, ProvisioningError
from cloud_file.cloud import Cloud
from cloud_file.loading import CLOUDS_DIRECTORY, load
from provisioning import administrator, cleanup

RC_PATH = "/root/admin-openrc.sh"
RC_TEXT = "export OS_AUTH_URL=http://192.0.2.1:5000/v3\nexport OS_USERNAME=admin\nexport OS_PASSWORD='a=b c'\n"
VARIABLES = {"OS_AUTH_URL": "http://192.0.2.1:5000/v3", "OS_USERNAME": "admin", "OS_PASSWORD": "a=b c"}


class DeploymentHost:
    """The host with the rc file."""

    def __init__(self, name: str, endpoint: Any) -> None:
        self.name, self.endpoint = name, endpoint
        self.files = {RC_PATH: RC_TEXT}

    def read_file(self, path: str) -> str | None:
        return self.files.get(path)


def _cloud_file(folder: Path, **changes: Any) -> str:
    content = yaml.safe_load((CLOUDS_DIRECTORY / "examples" / "existing.yaml").read_text(encoding="utf-8"))
    file = folder / "existing.yaml"
    file.write_text(yaml.safe_dump({**content, **changes}), encoding="utf-8")
    return str(file)


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """It names the rc file and the host that it lies on."""
    host = {"address": "192.0.2.9", "user": "root"}
    return load(_cloud_file(tmp_path, openstack={"rc_file": RC_PATH}, undercloud=host))


def test_the_administrator_is_whom_the_rc_file_names(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provisioning and cleaning up log in with its variables, and with nothing of clouds.yaml."""
    connections: list[dict[str, str]] = []
    monkeypatch.setattr(administrator, "connect", lambda variables: connections.append(variables) or SimpleNamespace())
    monkeypatch.setattr(cleanup, "undercloud_of", lambda given: DeploymentHost("undercloud", given.undercloud))

    found = administrator.become_administrator(cloud, DeploymentHost("undercloud", cloud.undercloud))  # type: ignore[arg-type]
    owner = cleanup.Owners(cloud)

    assert (found.variables, owner.admin.variables) == (VARIABLES, VARIABLES)
    assert connections == [VARIABLES, VARIABLES]


def test_an_rc_file_that_is_not_there_is_named(cloud: Cloud) -> None:
    """Nobody logs in as somebody else then."""
    host = DeploymentHost("undercloud", cloud.undercloud)
    host.files.clear()

    with pytest.raises(ProvisioningError, match=RC_PATH):
        administrator.become_administrator(cloud, host)  # type: ignore[arg-type]


def test_an_rc_file_needs_the_host_that_it_lies_on(tmp_path: Path) -> None:
    """The cloud file is refused; it would end in a Python error otherwise."""
    with pytest.raises(InputError, match="lies on the undercloud, but no undercloud is given"):
        load(_cloud_file(tmp_path, openstack={"rc_file": RC_PATH}))


def test_a_name_in_clouds_yaml_and_an_rc_file_are_one_too_many(tmp_path: Path) -> None:
    """Which of the two is meant cannot be told."""
    with pytest.raises(InputError, match="name either cloud"):
        load(_cloud_file(tmp_path, openstack={"rc_file": RC_PATH, "cloud": "site"}))
