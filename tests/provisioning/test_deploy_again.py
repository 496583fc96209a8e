"""An overcloud is deployed again when anything that decides about it is another: our files, the user's, their list."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from access.endpoint import SshEndpoint
from access.host import CommandOutput
from access.progress import Progress
from cloud_file.cloud import Cloud
from cloud_file.loading import load
from provisioning.tripleo.undercloud import Undercloud


class UndercloudHost:
    """An undercloud's files, and its stacks as one answer."""

    def __init__(self) -> None:
        self.endpoint = SshEndpoint(address="192.0.2.1", user="stack")
        self.files: dict[str, str] = {
            "/home/stack/storage.yaml": "parameter_defaults: {}\n",
            "/home/stack/roles.yaml": "[]",
        }
        self.status = "CREATE_COMPLETE"
        self.deploys = 0

    def run(self, command: str, **_: Any) -> CommandOutput:
        """A deploy succeeds; the list has one stack."""
        self.deploys += "overcloud deploy" in command
        stacks = json.dumps([{"Stack Name": "overcloud", "Stack Status": self.status}])
        return CommandOutput("undercloud", command, 0, stacks, "", 0.0)

    def read_file(self, path: str) -> str | None:
        """None when there is none."""
        return self.files.get(path)

    def write_file(self, path: str, content: str) -> None:
        """Keep it."""
        self.files[path] = content


def deploying(host: UndercloudHost, **deploy: Any) -> int:
    """How often the overcloud was deployed after one more step of provisioning."""
    cloud = load("lab")
    changed: Cloud = cloud.model_copy(update={"deploy": cloud.deploy.model_copy(update=deploy)})
    Undercloud(changed, host, Progress(quiet=True)).deploy()  # type: ignore[arg-type]
    return host.deploys


def test_the_same_is_deployed_once() -> None:
    """Nothing is changed: nothing is done."""
    host = UndercloudHost()

    assert [deploying(host, environment_files=("/home/stack/storage.yaml",)) for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"environment_files": ()},
        {"environment_files": ("/home/stack/storage.yaml", "/home/stack/network.yaml")},
        {"roles_file": "/home/stack/roles.yaml"},
        {"kernel_args": "hugepagesz=1G hugepages=64"},
        {"parameters": {"NovaReservedHostMemory": 8192}},
        {"timeout_min": 120},
    ],
    ids=str,
)
def test_another_deploy_is_made(change: dict[str, Any]) -> None:
    """Each key of the cloud file that the command or the files come from."""
    host = UndercloudHost()
    usual = {"environment_files": ("/home/stack/storage.yaml",)}
    deploying(host, **usual)

    assert deploying(host, **usual | change) == 2


def test_a_file_of_the_users_own_that_changed_is_deployed() -> None:
    """Its name is the same, what it says is not."""
    host = UndercloudHost()
    deploying(host, environment_files=("/home/stack/storage.yaml",))
    host.files["/home/stack/storage.yaml"] = "parameter_defaults: {CinderEnableIscsiBackend: false}\n"

    assert deploying(host, environment_files=("/home/stack/storage.yaml",)) == 2


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_IN_PROGRESS", "DELETE_COMPLETE"])
def test_a_stack_that_is_not_deployed_is_deployed(status: str) -> None:
    """A stack that was rolled back says COMPLETE, too."""
    host = UndercloudHost()
    deploying(host)
    host.status = status

    assert deploying(host) == 2


def first_boot(tmp_path: Path, kernel_args: str, before: str) -> str:
    """/etc/default/grub after the first boot of a host with a GPU."""
    host = UndercloudHost()
    deploying(host, kernel_args=kernel_args)
    (template,) = [yaml.safe_load(text) for text in host.files.values() if "#!/bin/bash" in text]
    script = template["resources"]["iommu"]["properties"]["config"]
    grub, devices = tmp_path / "grub", tmp_path / "devices" / "0000:04:00.0"
    devices.mkdir(parents=True)
    (devices / "vendor").write_text("0x10de\n")
    (devices / "class").write_text("0x030200\n")
    grub.write_text(before)
    for real, made in (
        ("/etc/default/grub", grub),
        ("/sys/bus/pci/devices", devices.parent),
        ("/var/log/gpu-first-boot.log", tmp_path / "log"),
    ):
        script = script.replace(real, str(made))
    harmless = "grub2-mkconfig() { :; }; grubby() { :; }; systemctl() { :; }; "
    script = script.replace("/sbin/reboot", "true").replace("extra=", harmless + "extra=", 1)
    subprocess.run(["/bin/bash", "-c", script], check=True)
    return grub.read_text()


@pytest.mark.parametrize("kernel_args", ["", "hugepagesz=1G hugepages=64", "console=ttyS0,115200 root=/dev/sda1 a=b&c"])
def test_the_first_boot_sets_the_users_arguments_too(tmp_path: Path, kernel_args: str) -> None:
    """Releases that set kernel arguments at the first boot do not leave `deploy.kernel_args` out."""
    text = first_boot(tmp_path, kernel_args, 'GRUB_CMDLINE_LINUX="quiet"\n')

    assert text.startswith('GRUB_CMDLINE_LINUX="quiet ')
    assert text.endswith(f'iommu=pt{" " if kernel_args else ""}{kernel_args}"\n')
