"""Resources by the services' own APIs: what Nova is asked for, and what an instance tells. The rest runs on a lab."""

from __future__ import annotations

import base64
import subprocess
from typing import Any

import pytest

from cloud_file.cloud import Cloud
from cloud_file.loading import CLOUDS_DIRECTORY, load
from cloud_file.sections.tenant import DeclaredGuest
from provisioning.openstack import direct_guests
from provisioning.openstack.guests import cuda_script
from provisioning.openstack.orchestration import why_not_heat
from provisioning.openstack.resources import KINDS, removal_order

PARAMETERS = {"flavor": "f", "key_name": "k", "image": "i"}


def request(**more: Any) -> dict[str, Any]:
    """What is asked for an instance."""
    guest = DeclaredGuest(name="g", flavor="f", **more)
    return direct_guests.server_request(guest, "gpuacc-g", PARAMETERS, "p", "#!/bin/bash\n")


def test_an_instance_boots_from_its_image() -> None:
    found = request()

    assert found["image_id"] == "i"
    assert found["networks"] == [{"port": "p"}]
    assert base64.b64decode(found["user_data"]) == b"#!/bin/bash\n"
    assert not {"availability_zone", "block_device_mapping"} & set(found)


def test_an_instance_boots_from_a_volume_that_goes_with_it() -> None:
    """https://docs.openstack.org/nova/latest/user/block-device-mapping.html"""
    found = request(volume_gb=80, availability_zone="gpu")

    assert "image_id" not in found
    assert found["availability_zone"] == "gpu"
    assert found["block_device_mapping"] == [
        {
            "boot_index": 0,
            "source_type": "image",
            "uuid": "i",
            "destination_type": "volume",
            "volume_size": 80,
            "delete_on_termination": True,
        }
    ]


@pytest.mark.parametrize(
    ("console", "told"),
    [
        ("", None),
        ("booting\n[ 9.1] GPUACC-CUDA SUCCESS CUDA 12.4 is there\r\nlogin:", ("SUCCESS", "CUDA 12.4 is there")),
        ("GPUACC-CUDA FAILURE gcc cannot be installed\n", ("FAILURE", "gcc cannot be installed")),
        ("GPUACC-CUDA FAILURE once\nGPUACC-CUDA SUCCESS after a reboot\n", ("SUCCESS", "after a reboot")),
        ("GPUACC-CUDAX SUCCESS x", None),
    ],
)
def test_an_instance_tells_on_its_console(console: str, told: tuple[str, str] | None) -> None:
    assert direct_guests.told(console) == told


def lab() -> Cloud:
    return load(CLOUDS_DIRECTORY / "lab.yaml")


@pytest.mark.parametrize("on_console", [False, True])
@pytest.mark.parametrize("installed", [False, True])
def test_the_script_is_a_script(on_console: bool, installed: bool) -> None:
    """It tells Heat or the console, and installs only what the image lacks."""
    cloud = lab()
    assert cloud.cuda is not None
    cuda = cloud.cuda.model_copy(update={"installed": installed})

    text = cuda_script(cloud.model_copy(update={"cuda": cuda}), on_console=on_console)

    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    assert ("$notify_heat" in text) is not on_console
    assert ("cuda-toolkit-9-0" in text) is not installed


def test_a_notice_reaches_the_console(tmp_path: Any) -> None:
    """The function as it stands in the script, without a console that can be written."""
    script = cuda_script(lab(), on_console=True)
    body = script[script.index("exec 3>&1") : script.index("add_repository()")]
    body = body.replace("/dev/console", str(tmp_path / "none")).replace('>>"$log"', f">>{tmp_path}/log")

    done = subprocess.run(
        ["bash", "-c", f"{body}\nfail 'gcc is not there'"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert direct_guests.told(done.stdout) == ("FAILURE", "gcc is not there")


class NoCatalog:
    """Must not be asked: the cloud file says enough."""

    def endpoint_for(self, kind: str) -> str:
        raise AssertionError(kind)


def test_what_the_templates_do_not_have_is_made_by_apis() -> None:
    """The reason is told; Heat is asked for only where its templates fit."""
    cloud = lab()
    zone = cloud.guests[0].model_copy(update={"availability_zone": "z"})
    disk = cloud.guests[0].model_copy(update={"volume_gb": 9})
    assert cloud.networks is not None
    flat = cloud.networks.model_copy(update={"external": None})
    assert cloud.tenant is not None
    theirs = cloud.tenant.model_copy(update={"existing": True})

    for changes, reason in (
        ({"guests": (zone,)}, "availability zone"),
        ({"guests": (disk,)}, "volume"),
        ({"networks": flat}, "no floating IP"),
        ({"tenant": theirs}, "the project exists already"),
        ({"openstack": cloud.openstack.model_copy(update={"heat": False})}, "openstack.heat is false"),
    ):
        assert reason in why_not_heat(cloud.model_copy(update=changes), NoCatalog())


def test_everything_is_removed_before_what_it_uses() -> None:
    """Instances before ports, ports before networks, all of a tenant before the project."""
    kinds = ["guest", "floating-ip", "guest-port", "security-group", "keypair"]
    entries = [(kind, "tenant") for kind in kinds] + [
        (kind, "admin") for kind in ("router", "network", "tenant-user", "tenant-project")
    ]

    ordered = sorted(entries, key=lambda entry: removal_order(*entry))

    where = {kind: ordered.index((kind, owner)) for kind, owner in entries}
    assert where["guest"] < where["floating-ip"] < where["guest-port"] < where["security-group"]
    assert where["guest-port"] < where["router"] < where["network"] < where["tenant-project"]
    assert where["tenant-user"] < where["tenant-project"]
    assert set(kinds) <= set(KINDS)
