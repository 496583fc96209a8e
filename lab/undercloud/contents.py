"""What lies on the undercloud and the overcloud's nodes before an operator does anything."""

from __future__ import annotations

import json
from pathlib import Path

from lab.guests import base_images
from lab.hosts.layout import MachineDir
from lab.state import LabState
from lab.undercloud import deployed_files

MODULE = {"name": "openstack-nova", "author": "OpenStack Contributors", "license": "Apache-2.0"}
MANIFESTS = ("init.pp", "api.pp", "compute.pp", "scheduler/filter.pp")
FIXED_MANIFESTS = (*MANIFESTS, "pci.pp", "compute/pci.pp")


def populate(state: LabState) -> None:
    """Put the operator's starting point on the machines; what is there stays."""
    undercloud = MachineDir(state.paths, state.hosts("Undercloud")[0])
    home = undercloud.path("/home/stack")
    _images(state, home)
    if state.layout:
        deployed_files.populate(state)
        return
    _write(home / "stackrc", _stackrc(state), 0o600)
    _write(home / "instackenv.json", json.dumps(_instackenv(state), indent=2))
    _module(home / "puppet-nova" / "nova", "10.5.0", FIXED_MANIFESTS)
    packaged = undercloud.fs / "usr/share/openstack-puppet/modules/nova"
    features = state.release_data["packaged_puppet_nova"]
    _module(packaged, "10.4.0", FIXED_MANIFESTS if features["alias_on_computes"] else MANIFESTS)
    templates = undercloud.fs / "usr/share/openstack-tripleo-heat-templates"
    _write(
        templates / "roles_data.yaml",
        "".join(f"- name: {role}\n  CountDefault: 1\n" for role in ("Controller", "Compute")),
    )
    _write(templates / "firstboot/userdata_default.yaml", "heat_template_version: 2016-10-14\nresources: {}\n")
    _write(
        templates / "environments/host-config-and-reboot.yaml", "resource_registry: {}\n"
    )  # the deploy does its work


def _images(state: LabState, home: Path) -> None:
    for name in base_images.IMAGES:
        image = home / "images" / name
        if not image.exists():
            image.parent.mkdir(exist_ok=True)
            base_images.make(state.paths, image, name)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)


def _module(folder: Path, version: str, manifests: tuple[str, ...]) -> None:
    _write(folder / "metadata.json", json.dumps({**MODULE, "version": version}))
    for name in manifests:
        _write(folder / "manifests" / name, f"# class nova::{name.removesuffix('.pp').replace('/', '::')}\n")


def _stackrc(state: LabState) -> str:
    address = state.host_addresses[state.hosts("Undercloud")[0]]
    variables = {
        "OS_USERNAME": "admin",
        "OS_PASSWORD": state.secret("undercloud"),
        "OS_PROJECT_NAME": "admin",
        "OS_TENANT_NAME": "admin",
        "OS_AUTH_URL": f"http://{address}:5000/v2.0",
        "OS_CLOUDNAME": "undercloud",
    }
    return "".join(f"export {key}={value}\n" for key, value in variables.items())


def _instackenv(state: LabState) -> dict[str, object]:
    nodes = []
    for number, host in enumerate(state.declaration["hosts"]):
        if host["role"] == "Undercloud":
            continue
        cpu = host["cpu"]
        profile = "control" if host["role"] == "Controller" else "compute"
        nodes.append(
            {
                "name": host["name"],
                "pm_type": "pxe_ipmitool",
                "pm_addr": f"192.0.2.{10 + number}",
                "pm_user": "admin",
                "mac": [f"52:54:00:00:00:{number:02x}"],
                "arch": "x86_64",
                "memory": str(host["memory_mb"]),
                "disk": "1000",
                "cpu": str(cpu["sockets"] * cpu["cores_per_socket"] * cpu["threads"]),
                "capabilities": f"profile:{profile},boot_option:local",
            }
        )
    return {"nodes": nodes}
