"""What kind of file is this? Each kind that is understood has a name, which the summary counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from preflight.nova_conf import Option
from preflight.yaml_source import Node

ENVIRONMENT, TEMPLATE, ROLES = "environment file", "Heat template", "roles file"
CLOUD, SCRIPT, RC, NODES, KEY = "cloud file", "script", "rc file", "list of nodes", "private key"
NOVA_CONF, LOCAL_CONF = "nova.conf", "DevStack local.conf"
BOOT = "boot configuration"
MANIFEST, GLOBALS = "Kubernetes manifest", "kolla globals"
VARIABLES = "variables of a deployer"
ENVIRONMENT_KEYS = {"parameter_defaults", "resource_registry", "parameters", "parameter_merge_strategies"}
OF_HEAT = {ENVIRONMENT, TEMPLATE, ROLES, CLOUD}
"""What TripleO and Heat read, and our own cloud files."""
OF_DIALECT = {
    "openstack-ansible": "OpenStack-Ansible variables",
    "openstack-helm": "Helm values",
    "atmosphere": "Atmosphere variables",
    "sunbeam": "Sunbeam manifest",
    "juju": "Juju bundle",
    "kayobe": "kayobe variables",
    "rhoso": MANIFEST,
    "nova": "Ansible tasks",
}
GLOBALS_KEYS = {"kolla_base_distro", "kolla_internal_vip_address", "openstack_release", "kolla_openstack_release"}
WITH_SETTINGS = re.compile(r"OpenStack\w+|ConfigMap|Secret|Kustomization|Component")
PROSE_AND_PROGRAMS = {".md", ".rst", ".adoc", ".txt", ".html", ".py", ".go", ".js", ".rb", ".json", ".xml", ".patch"}
"""They speak of keys, passwords and settings; what they need is not in them."""
GPU_SETTING = re.compile(
    r"pci_passthrough|passthrough_whitelist|\bdevice_specs?\b|PciPassthroughFilter|NovaPCIPassthrough|pci[-_]alias"
    r"|nova::(?:compute::)?pci|nova_device_spec|gpu_group_map|\b10de\b",
    re.I,
)
COMMENT = re.compile(r"^[ \t]*(?:#|//|;).*$", re.M)


def of_document(root: Node, settings: Sequence[Option]) -> str | None:
    """The kind of a YAML document; None if it is of none that we read."""
    keys = {key.text for key, _ in root.items()}
    if "heat_template_version" in keys:
        return TEMPLATE
    if {"kind", "hosts", "gpus"} <= keys:
        return CLOUD
    is_manifest = {"apiVersion", "kind"} <= keys
    if keys & ENVIRONMENT_KEYS and "paths" not in keys and not is_manifest:  # an OpenAPI file has `parameters`, too
        return ENVIRONMENT
    if root.is_list and any(element.get("name") and element.get("ServicesDefault") for element in root.elements()):
        return ROLES
    if is_manifest and (settings or WITH_SETTINGS.fullmatch(_text(root, "kind"))):
        return MANIFEST
    if settings:
        return OF_DIALECT[settings[0].scope.dialect]
    if any(
        value.get("charm")
        for key in ("applications", "services")
        if (block := root.get(key))
        for _, value in block.items()
    ):
        return OF_DIALECT["juju"]
    if keys & {"gpu_group_map", "stackhpc_gpu_data"}:
        return OF_DIALECT["kayobe"]
    return GLOBALS if keys & GLOBALS_KEYS else None


def _text(root: Node, key: str) -> str:
    found = root.get(key)
    return found.text if found else ""


def holds_gpu_settings(path: Path, text: str) -> bool:
    """Whether a file of no kind that we read sets something of GPUs, as far as its words tell."""
    return path.suffix.lower() not in PROSE_AND_PROGRAMS and bool(GPU_SETTING.search(COMMENT.sub("", text)))
