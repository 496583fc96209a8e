"""Names that are spelled almost like a setting: options of nova.conf, and the deployers' own variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Location
from preflight.nova_conf import Option
from preflight.releases import load_data
from preflight.spelling import nearest
from preflight.yaml_source import Node

MISSPELT_OPTION = rule("GP232")
MISSPELT_VARIABLE = rule("GP237")
UNKNOWN_TYPE = rule("GP238")
MISPLACED_FILE = rule("GP239")
RULES = (MISSPELT_OPTION, MISSPELT_VARIABLE, UNKNOWN_TYPE, MISPLACED_FILE)
KOLLA_SERVICES = {
    *("nova-api", "nova-metadata", "nova-scheduler", "nova-super-conductor", "nova-conductor", "nova-compute"),
    *("nova-compute-ironic", "nova-novncproxy", "nova-spicehtml5proxy", "nova-serialproxy"),
}
CLOSED = {"pci"}
"""Sections that only Nova fills: what it does not know there is wrong, near or not."""
JUDGED = CLOSED | {"filter_scheduler", "scheduler", "compute", "devices", "libvirt", "workarounds"}


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    sections = load_data("nova_conf_options.yaml")["sections"]
    described = load_data("nova_options.yaml")
    for option in deployment.nova_options:
        if option.name not in described:
            yield from _option(sections, option)
    for key, meant in deployment.files.misspelt:
        yield MISSPELT_VARIABLE.at(
            key.location, key.text, "nothing reads a variable of this name", f"did you mean {meant}?"
        )
    yield from _misplaced(deployment)
    types = {key.text for root in deployment.files.documents for key, _ in _items(root, "stackhpc_gpu_data")}
    for root in deployment.files.documents if types else ():
        for _, listed in _items(root, "gpu_group_map"):
            for element in listed.elements():
                if element.text not in types:
                    near = nearest(element.text, types)
                    yield UNKNOWN_TYPE.at(
                        element.location,
                        element.text,
                        f"stackhpc_gpu_data has {', '.join(sorted(types))}",
                        f"did you mean {near}?" if near else "add it to stackhpc_gpu_data",
                    )


def _misplaced(deployment: Deployment) -> Iterator[Finding]:
    """kolla-ansible reads nova.conf, nova/SERVICE.conf, nova/HOST/nova.conf and nova/HOST/SERVICE.conf, no other."""
    for path in deployment.files.nova_conf:
        parts = path.parts
        if "kolla" not in parts or "config" not in parts[parts.index("kolla") :]:
            continue
        below = parts[len(parts) - parts[::-1].index("config") :]
        known = {f"{service}.conf" for service in KOLLA_SERVICES}
        right = (
            below in (("nova.conf",), ("global.conf",))
            or (len(below) == 2 and below[0] == "nova" and below[1] in known)
            or (len(below) == 3 and below[0] == "nova" and below[2] in known | {"nova.conf"})
        )
        if not right:
            service = next((name for name in sorted(KOLLA_SERVICES) if name.removeprefix("nova-") in path.stem), None)
            yield MISPLACED_FILE.at(
                Location(path),
                "/".join(("config", *below)),
                "kolla-ansible reads no file of this name",
                f"config/nova/{service}.conf" if service else "config/nova.conf",
            )


def _items(root: Node, key: str) -> Iterator[tuple[Node, Node]]:
    block = root.get(key)
    if block is not None:
        yield from block.items()


def _option(sections: dict[str, Any], option: Option) -> Iterator[Finding]:
    section, _, name = option.name.partition("/")
    table = sections.get(section)
    if table is None:
        meant = nearest(section, JUDGED)
        if meant and name in sections[meant]:
            yield MISSPELT_OPTION.at(option.location, f"[{section}]", "Nova has no such section", f"[{meant}]")
        return
    if section not in JUDGED or name in table:
        return
    near = nearest(name, table)
    elsewhere = next((other for other in sorted(CLOSED | {"filter_scheduler"}) if name in sections[other]), None)
    if near or elsewhere or section in CLOSED:
        yield MISSPELT_OPTION.at(
            option.location,
            f"[{section}] {name}",
            f"Nova reads no option of this name in [{section}]",
            f"did you mean {near}?"
            if near
            else f"it belongs to [{elsewhere}]"
            if elsewhere
            else f"one of {', '.join(sorted(table))}",
        )
