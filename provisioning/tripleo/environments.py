"""The environment files and the first-boot template of a GPU cloud, as text."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import yaml

from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer, tripleo_of
from probes.references.iommu import recommended_arguments

FIRST_BOOT_SCRIPT = Path(__file__).parent / "templates" / "first-boot.sh"


class _BlockText(str):
    """Text that YAML shall show as a literal block."""


class _Dumper(yaml.SafeDumper):
    """Ids in quotes, scripts as blocks, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out: people read these files."""
        return True


def _represent_text(dumper: _Dumper, text: str) -> Any:
    # PyYAML quotes what YAML 1.1 reads as a number; other loaders read 1e30 and 0010 their own way, so quote every id
    style = '"' if len(text) == 4 and all(letter in "0123456789abcdef" for letter in text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_block(dumper: _Dumper, text: _BlockText) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(_BlockText, _represent_block)


def _dump(data: dict[str, Any]) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=110)


def render(cloud: Cloud, deployer: Deployer) -> dict[str, str]:
    """Files for the undercloud by relative path: environments/*.yaml and what they refer to."""
    files = {
        "environments/20-gpu-nodes.yaml": _dump({"parameter_defaults": _nodes(cloud)}),
        "environments/30-gpu-passthrough.yaml": _dump({"parameter_defaults": _passthrough(cloud, deployer)}),
    }
    if tripleo_of(deployer).kernel_arguments == "first_boot":
        registry = {"OS::TripleO::NodeUserData": "../firstboot/first-boot.yaml"}
        files["environments/10-gpu-first-boot.yaml"] = _dump({"resource_registry": registry})
        files["firstboot/first-boot.yaml"] = _first_boot(cloud.deploy.kernel_args or "")
    return files


def _nodes(cloud: Cloud) -> dict[str, Any]:
    roles = sorted({host.role for host in cloud.hosts if host.is_compute or host.is_controller})
    return {f"{role}Count": sum(host.role == role for host in cloud.hosts) for role in roles}


def _passthrough(cloud: Cloud, deployer: Deployer) -> dict[str, Any]:
    used = {alias.gpu for alias in cloud.aliases}
    whitelist = [{"vendor_id": gpu.vendor_id, "product_id": gpu.product_id} for gpu in cloud.gpus if gpu.model in used]
    aliases = []
    for alias in cloud.aliases:
        gpu = cloud.gpu(alias.gpu)
        entry = {"name": alias.name, "vendor_id": gpu.vendor_id, "product_id": gpu.product_id}
        entry["device_type"] = gpu.device_type
        if alias.numa_policy:
            entry["numa_policy"] = alias.numa_policy
        aliases.append(entry)
    parameters: dict[str, Any] = {
        deployer.settings.device_specs: whitelist,
        deployer.settings.filters: list(cloud.deploy.scheduler_filters or tripleo_of(deployer).filters),
        # for controllers and computes alike: nova-api reads a flavor's alias, each nova-compute needs it for moves
        "ExtraConfig": {deployer.settings.aliases: aliases},
        **_kernel_arguments(cloud, deployer),
    }
    return {**parameters, **cloud.deploy.parameters}


def _kernel_arguments(cloud: Cloud, deployer: Deployer) -> dict[str, Any]:
    if tripleo_of(deployer).kernel_arguments == "first_boot":
        return {}
    found: dict[str, Any] = {}
    for host in cloud.computes:
        if not host.gpus:
            continue
        words = f"{recommended_arguments(host.cpu_vendor or 'intel')} {cloud.deploy.kernel_args or ''}".strip()
        if tripleo_of(deployer).kernel_arguments == "role":
            found[f"{host.role}KernelArgs"] = words
        else:
            found[f"{host.role}Parameters"] = {"KernelArgs": words}
    return found


def _first_boot(kernel_args: str) -> str:
    text = FIRST_BOOT_SCRIPT.read_text(encoding="utf-8")
    script = _BlockText(text.replace("extra=''", f"extra={shlex.quote(kernel_args)}", 1))
    template = {
        "heat_template_version": "2014-10-16",
        "resources": {
            "userdata": {
                "type": "OS::Heat::MultipartMime",
                "properties": {"parts": [{"config": {"get_resource": "iommu"}}]},
            },
            "iommu": {"type": "OS::Heat::SoftwareConfig", "properties": {"config": script}},
        },
        "outputs": {"OS::stack_id": {"value": {"get_resource": "userdata"}}},
    }
    return _dump(template)
