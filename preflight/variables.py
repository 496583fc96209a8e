"""Variables of deployers that are spelled almost like those of data/variables.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.releases import load_data
from preflight.spelling import nearest
from preflight.yaml_source import Node

TOP = {"nova_nova_conf_overrides", "gpu_group_map", "stackhpc_gpu_data"}
SUNBEAM = {"device_specs", "aliases", "excluded_devices"}
CHARM = {"pci-alias", "pci-passthrough-whitelist", "scheduler-default-filters"}
CHARM_ALSO = {"pci_alias": "pci-alias", "pci_passthrough_whitelist": "pci-passthrough-whitelist"}
MANIFEST = {"customServiceConfig"}


def misspelt_variables(root: Node) -> list[tuple[Node, str]]:
    """Keys at the places of variables that are none, with the name that is meant."""
    return [*_top(root), *_below(root, ())]


def _top(root: Node) -> Iterator[tuple[Node, str]]:
    known = {name for name, entry in load_data("variables.yaml").items() if "below" not in entry and "_" in name} | TOP
    keys = {key.text for key, _ in root.items()}
    for key, _ in root.items():
        near = None if key.text in known else nearest(key.text, known)
        if near and near not in keys:
            yield key, near


def _below(node: Node, keys: tuple[str, ...]) -> Iterator[tuple[Node, str]]:
    known = _known_at(keys)
    for key, value in node.items():
        if known and key.text not in known:
            near = CHARM_ALSO.get(key.text) or nearest(key.text, known)
            if near:
                yield key, near
        yield from _below(value, (*keys, key.text))
    for element in node.elements():
        yield from _below(element, keys)


def _known_at(keys: tuple[str, ...]) -> set[str]:
    if keys[-2:] == ("config", "pci"):
        return SUNBEAM
    if keys[-1:] == ("options",) and len(keys) > 1 and keys[-2].startswith(("nova-compute", "nova-cloud-controller")):
        return CHARM
    if keys and keys[-1].endswith("ServiceTemplate"):
        return MANIFEST
    return set()
