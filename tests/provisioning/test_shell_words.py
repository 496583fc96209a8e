"""Nothing of a cloud file is run by a shell: what is no name is refused, and what is taken is quoted."""

from __future__ import annotations

import copy
import itertools
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from access.errors import InputError
from cloud_file.cloud import Cloud
from cloud_file.deployer import deployer_of
from cloud_file.loading import CLOUDS_DIRECTORY
from cloud_file.sections.cuda import Cuda
from cloud_file.sections.image import Image
from provisioning.openstack.guests import cuda_script
from provisioning.openstack.image import registration_script, steps
from provisioning.tripleo.undercloud import deploy_command
from provisioning.tripleo.written import write_deployment

LAB: dict[str, Any] = yaml.safe_load((CLOUDS_DIRECTORY / "lab.yaml").read_text(encoding="utf-8"))
LAB["image"] |= {
    "packages": ["gcc"],
    "repositories": ["rhel-7-server-rpms"],
    "properties": {"hw_machine_type": "q35"},
    "registration": {"organization": {"env": "ORG"}, "activation_key": {"env": "KEY"}, "pool": "8a85f98"},
}
LAB["deploy"] |= {
    "templates": "/usr/share/templates",
    "working_directory": "gpu",
    "environment_files": ["/home/stack/net.yaml"],
    "roles_file": "/home/stack/roles.yaml",
    "kernel_args": "hugepages=16",
    "scheduler_filters": ["RamFilter"],
}
LAB["cuda"] |= {"samples_archive": "https://a.example/s.tar.gz", "samples": ["1_Utilities/deviceQuery"]}
LAB["nova"] = {"api_conf": "/etc/nova/nova.conf", "compute_conf": "/etc/nova/nova.conf"}
LAB["overcloud_access"] = {"user": "heat-admin"}
LAB["tenant"] |= {"roles": ["member"], "domain": "Default"}

TOUCH = "touch $MARKER"
HOSTILE = {
    "substitution": f"x$({TOUCH})",
    "backticks": f"x`{TOUCH}`",
    "semicolon": f"x; {TOUCH};",
    "and": f"x && {TOUCH}",
    "pipe": f"x | {TOUCH}",
    "new line": f"x\n{TOUCH}\n",
    "double quote": f'x"; {TOUCH}; "',
    "single quote": f"x'; {TOUCH}; '",
    "backslash": f"x\\'; {TOUCH} #",
    "redirection": "x > $MARKER",
    "without blanks": "x;touch${IFS}$MARKER;",
    "braces": "{touch,$MARKER}",
    "template": "{{ ''.__class__.__mro__ }}",
    "Heat's own word": "$notify_heat",
    "option": "--rpm='%(touch $MARKER)'",
}


def texts(content: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a text in a file."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        if isinstance(value, str):
            yield (*here, key)
        elif isinstance(value, dict | list):
            yield from texts(value, (*here, key))


PLACES = list(texts(LAB))
STUBS = """yum apt-get curl rpm dpkg tar find modprobe chown mkdir make cmake nproc uname basename grep head sed
openstack subscription-manager upload-puppet-modules"""


def with_text(place: tuple[Any, ...], text: str) -> Cloud:
    content = copy.deepcopy(LAB) | {"name": "mine"}
    node: Any = content
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = text
    return Cloud.model_validate(content)


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """A PATH whose programs do nothing, but for `touch`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in STUBS.split():
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)
    (folder / "touch").symlink_to("/usr/bin/touch")
    (folder / "sh").symlink_to("/bin/sh")
    return folder


def shell_texts(cloud: Cloud, folder: Path) -> list[str]:
    """All that is made of a cloud file for a shell of another machine."""
    assert cloud.image is not None
    assert cloud.image.registration is not None
    customize = steps(cloud.image, "/home/stack/register.sh")
    commands = [value for option, value in itertools.pairwise(customize) if option == "--run-command"]
    write_deployment(cloud, folder)
    log = cuda_script(cloud).replace("/var/log/install-cuda.log", "/dev/null")
    # the script ends at its first failure: what follows is read, too
    script = log.replace("exit 1", "return 0").replace("$notify_heat", "true")
    return [
        script,
        shlex.join(["true", *customize]),
        *commands,
        registration_script(cloud.image.registration),
        deploy_command(cloud, deployer_of(cloud), "/home/stack/gpu"),
        (folder / "deploy.sh").read_text(encoding="utf-8"),
    ]


def run_all(cloud: Cloud, tmp_path: Path, stubs: Path) -> None:
    environment = {"PATH": str(stubs), "MARKER": str(tmp_path / "marker"), "HOME": str(tmp_path)}
    for text in shell_texts(cloud, tmp_path / "written"):
        subprocess.run(["/bin/bash", "-c", text], env=environment, capture_output=True, timeout=30, check=False)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_no_text_of_a_cloud_file_is_run(
    tmp_path: Path, stubs: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, ...]
):
    monkeypatch.setenv("ORG", "x$(touch $MARKER)")
    monkeypatch.setenv("KEY", "x'; touch $MARKER; '")
    for hostile in HOSTILE.values():
        try:
            cloud = with_text(place, hostile)
            run_all(cloud, tmp_path, stubs)
        except (ValidationError, InputError):
            continue
        assert not (tmp_path / "marker").exists(), hostile


def test_what_a_shell_reads_is_quoted_as_well(tmp_path: Path, stubs: Path, monkeypatch: pytest.MonkeyPatch):
    """Sections made without the file's validation: the patterns are not all that stands between."""
    monkeypatch.setenv("ORG", "x$(touch $MARKER)")
    monkeypatch.setenv("KEY", "x'; touch $MARKER; '")
    cloud = with_text(("prefix",), "gpuacc")
    assert cloud.image is not None
    assert cloud.cuda is not None
    for hostile in HOSTILE.values():
        image = Image.model_construct(
            **{**dict(cloud.image), "packages": (hostile,), "repositories": (hostile,), "ssh_user": hostile}
        )
        cuda = Cuda.model_construct(
            **{
                **dict(cloud.cuda),
                "version": hostile,
                "repository": hostile,
                "packages": (hostile,),
                "samples": (hostile,),
                "samples_archive": hostile,
            }
        )
        deploy = cloud.deploy.model_copy(
            update={
                "templates": hostile,
                "roles_file": hostile,
                "puppet_modules": hostile,
                "environment_files": (hostile,),
            }
        )
        run_all(cloud.model_copy(update={"image": image, "cuda": cuda, "deploy": deploy}), tmp_path, stubs)
        assert not (tmp_path / "marker").exists(), hostile


def test_the_marker_is_made_where_a_text_is_not_quoted(tmp_path: Path, stubs: Path):
    """The test itself finds what it looks for."""
    environment = {"PATH": str(stubs), "MARKER": str(tmp_path / "marker")}

    subprocess.run(["/bin/bash", "-c", f"yum install {HOSTILE['semicolon']}"], env=environment, check=False)

    assert os.path.exists(tmp_path / "marker")


TAKEN = {
    ("image", "packages", 0): [
        "gcc",
        "python3-devel",
        "@development-tools",
        "cuda-drivers=550.54.15-1",
        "g++",
        "a:b.rpm",
    ],
    ("image", "repositories", 0): ["rhel-7-server-rpms", "codeready-builder-for-rhel-9-x86_64-rpms", "rhel-7-*-rpms"],
    ("image", "ssh_user"): ["cloud-user", "rocky", "ubuntu", "_svc.gpu"],
    ("cuda", "repository"): ["/root/cuda.rpm", "http://a.example:80/cuda.repo", "https://a.example/c.deb?v=1&x=%20"],
    ("cuda", "packages", 0): ["cuda-drivers-550.54.15", "nvidia-open=1:2.3~rc1", "nvidia-driver:open-dkms"],
    ("deploy", "kernel_args"): ["hugepages=16 isolcpus=1-3,5 pci=realloc=off", "console=ttyS0,115200n8 nosplash"],
    ("deploy", "environment_files", 0): ["/home/stack/my env.yaml", "templates/net(1).yaml"],
    ("overcloud_access", "user"): ["root", "EXAMPLE\\admin", "admin@example.org"],
    ("hosts", 0, "role"): ["Controller", "ControllerOpenstack"],
}


@pytest.mark.parametrize(
    ("place", "text"), [(place, text) for place, texts in TAKEN.items() for text in texts], ids=lambda value: str(value)
)
def test_what_people_write_is_taken(place: tuple[Any, ...], text: str):
    with_text(place, text)
