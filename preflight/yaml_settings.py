"""Nova's settings in YAML files: whichever deployer reads them, as the options that end up in nova.conf.

Four forms cover the deployers: an INI text in a value (customServiceConfig, ConfigMaps, blockinfile), a mapping of
sections (Helm values, nova_nova_conf_overrides), variables with names of their own (data/variables.yaml), and Ansible
tasks that set one option.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from preflight import nova_conf
from preflight.nova_conf import ALL_SERVICES, COMPUTE, CONTROL, Option, Scope, services_named
from preflight.placed import place
from preflight.releases import load_data
from preflight.yaml_source import Node

INI = re.compile(r"^[ \t]*\[(?:pci|filter_scheduler|libvirt|DEFAULT|compute|devices|scheduler)\]\s*$", re.M)
NOVA_INI = re.compile(
    r"^[ \t]*\[(?:pci|filter_scheduler)\]\s*$"
    r"|^[ \t]*(?:device_spec|passthrough_whitelist|pci_alias|enabled_filters)\s*=",
    re.M,
)
CHARTS = {"openstack-helm", "atmosphere"}
SECTIONS = {"pci", "filter_scheduler"}
NOVA_FILE = re.compile(r"nova[\w./{} -]*\.conf|nova\.conf", re.I)


@dataclass(frozen=True)
class Around:
    """What stands around a node: the keys above it, and names that tell whose setting it is."""

    keys: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    """Names, the nearest last."""
    where: str | None = None
    dialect: str | None = None

    def below(self, key: str) -> Around:
        """The same one key deeper."""
        return replace(self, keys=(*self.keys, key), hints=(*self.hints, key))

    def scope(self, dialect: str, given: str = "") -> Scope:
        """The scope that the nearest telling name gives; `given` is nearer than all."""
        for hint in (given, *reversed(self.hints)):
            if services := services_named(hint):
                return Scope(services, self.where, self.dialect or dialect)
        return Scope(ALL_SERVICES, self.where, self.dialect or dialect)


def settings_of(root: Node, source: Sequence[str]) -> list[Option]:
    """Every option of nova.conf that the document sets, whichever way."""
    return [*_walk(root, source, _around(root)), *_gpu_types(root)]


def _gpu_types(root: Node) -> Iterator[Option]:
    """StackHPC's kayobe configuration: cards by type, written into nova.conf for the groups that have the type."""
    data, groups = root.get("stackhpc_gpu_data"), root.get("gpu_group_map")
    used = {item.text for _, listed in groups.items() for item in listed.elements()} if groups else None
    for key, card in data.items() if data else ():
        if used is not None and key.text not in used:
            continue
        fields = {name.text: value.text for name, value in card.items() if value.is_scalar}
        name = fields.pop("resource_name", key.text)
        spec = {field: fields[field] for field in ("vendor_id", "product_id") if field in fields}
        alias = {"name": key.text if "{{" in name else name, **fields}
        scope = Scope(ALL_SERVICES, dialect="kayobe")
        yield Option("pci/device_spec", json.dumps(spec), card.location, replace(scope, services=COMPUTE))
        yield Option("pci/alias", json.dumps(alias), card.location, scope)


def _around(root: Node) -> Around:
    """What the document itself and the file's name tell."""
    path, kind = root.path, root.get("kind")
    parts = [part for part in path.parts if part != "/"]
    if kind is not None and root.get("apiVersion") is not None:
        name = root.find("metadata", "name")
        by_default = "edpm" if kind.text in ("ConfigMap", "Secret") else ""
        return Around(hints=(by_default, kind.text, *parts[-4:], name.text if name else ""), dialect="rhoso")
    for folder in ("group_vars", "host_vars"):
        if folder in parts[:-1]:
            name_of = Path(parts[parts.index(folder) + 1]).stem
            return Around(hints=(name_of,), where=None if name_of == "all" else name_of)
    return Around(hints=(path.stem,) if services_named(path.stem) else ())


def _walk(node: Node, source: Sequence[str], around: Around) -> Iterator[Option]:
    if node.is_mapping:
        yield from _mapping(node, source, around)
    elif node.is_list:
        for element in node.elements():
            yield from _walk(element, source, _of_element(element, around))
    elif node.is_scalar and "[" in node.text and _is_nova_ini(node.text, around):
        yield from nova_conf.of_text(place(node, source), around.scope("nova"))


def _of_element(element: Node, around: Around) -> Around:
    """An element of a list has a name of its own in Helm's overrides, in plays and in manifests."""
    hosts, name = element.get("hosts"), element.get("name")
    if hosts is not None and hosts.is_scalar and element.get("tasks") is not None:
        return replace(around, hints=(*around.hints, hosts.text))
    if "overrides" in around.keys:
        key, values = element.find("label", "key"), element.find("label", "values")
        label = f"{key.text}={','.join(item.text for item in values.elements())}" if key and values else None
        return replace(around, where=label or (name.text if name else around.where))
    return around


def _is_nova_ini(text: str, around: Around) -> bool:
    if not INI.search(text):
        return False
    about_nova = any("nova" in key.lower() for key in around.keys)
    return bool(NOVA_INI.search(text)) or (about_nova and around.keys[-1:] in (("customServiceConfig",), ("conf",)))


def _mapping(node: Node, source: Sequence[str], around: Around) -> Iterator[Option]:
    task = _task(node, source, around)
    yield from task
    is_nova = _holds_sections(node, around)
    charm = node.get("charm")
    if charm is not None and charm.is_scalar:  # an application may have any name
        around = replace(around, hints=(*around.hints, charm.text))
    for key, value in node.items():
        variable = _variable(key, around)
        if variable is not None:
            yield from _of_variable(key, value, source, around, variable)
        elif is_nova and value.is_mapping and not (task and key.text in ("block", "content")):
            dialect = _dialect_of_sections(around)
            for name, setting in value.items():
                yield from _section(key, name, setting, source, around.scope(dialect))
        elif not (task and key.text in ("block", "content")):
            yield from _walk(value, source, around.below(key.text))


def _dialect_of_sections(around: Around) -> str:
    if "conf" not in around.keys:
        return "openstack-ansible"
    return "atmosphere" if any(key.endswith("helm_values") for key in around.keys) else "openstack-helm"


def _holds_sections(node: Node, around: Around) -> bool:
    """Whether the mapping is nova.conf: section by section, below a key that speaks of nova."""
    blocks = [(key, value) for key, value in node.items() if value.is_mapping]
    keys = {key.text for key, value in blocks if not any(INI.search(text.text) for _, text in value.items())}
    return bool(keys & SECTIONS) and any("nova" in key.lower() for key in around.keys)


def _section(key: Node, name: Node, setting: Node, source: Sequence[str], scope: Scope) -> Iterator[Option]:
    if name.is_mapping:  # `? alias: …`, as config_template takes an option that is given several times
        for inner, value in name.items():
            yield from _section(key, inner, value, source, scope)
        return
    full = nova_conf.option_name(key.text, name.text)
    values = setting.get("values") if setting.get("type") else None
    if values is not None:
        for element in values.elements():
            yield _option(full, name, element, source, scope)
    elif setting.is_list and len(setting.elements()) == 1:
        yield _option(full, name, setting.elements()[0], source, scope)
    elif setting.is_list:  # Helm's charts and config_template do so
        joined = ",".join(_text(element) for element in setting.elements())
        each = "{type: multistring, values: […]}" if scope.dialect in CHARTS else f"`? {name.text}: '{{…}}'`"
        why = "the list's elements are joined by commas, which is not JSON"
        yield Option(full, joined, name.location, scope, flaw=why, remedy=f"{each} for several")
    elif setting.is_mapping and all(_text(value) == "" for _, value in setting.items()):  # a YAML set
        for element, _ in setting.items():
            yield _option(full, name, element, source, scope)
    else:
        yield _option(full, name, setting, source, scope)


def _option(full: str, name: Node, value: Node, source: Sequence[str], scope: Scope) -> Option:
    if not value.is_scalar:
        return Option(full, _text(value), value.location, scope, node=value)
    return Option(full, value.text.strip(), name.location, scope, place(value, source))


def _text(node: Node) -> str:
    """What a template's to_json makes of a value."""
    return node.text if node.is_scalar else json.dumps(_plain(node), ensure_ascii=False)


def _plain(node: Node) -> object:
    if node.is_mapping:
        return {key.text: _plain(value) for key, value in node.items()}
    if node.is_list:
        return [_plain(element) for element in node.elements()]
    return int(node.text) if node.scalar_type == "int" and node.text.isdecimal() else node.text


def _task(node: Node, source: Sequence[str], around: Around) -> list[Option]:
    """Options that an Ansible task writes: ini_file, blockinfile, copy, lineinfile."""
    file = node.get("path") or node.get("dest")
    if file is None or not file.is_scalar or not NOVA_FILE.search(file.text):
        return []
    scope = around.scope("nova", file.text)
    section, option, value = node.get("section"), node.get("option"), node.get("value")
    if section is not None and option is not None and value is not None:
        return [_option(nova_conf.option_name(section.text, option.text), option, value, source, scope)]
    text = node.get("block") or node.get("content")
    return list(nova_conf.of_text(place(text, source), scope)) if text is not None and text.is_scalar else []


def _variable(key: Node, around: Around) -> dict[str, str] | None:
    """The entry of data/variables.yaml for a key that stands in its place."""
    entry: dict[str, str] | None = load_data("variables.yaml").get(key.text)
    if entry is None:
        return None
    below = entry.get("below", "")
    is_definition = entry["dialect"] == "juju" and around.keys[:1] == ("options",)  # a charm's own config.yaml
    return entry if not is_definition and (not below or below in ".".join(around.keys)) else None


def _of_variable(
    key: Node, value: Node, source: Sequence[str], around: Around, entry: dict[str, str]
) -> Iterator[Option]:
    services: frozenset[str] = {"all": ALL_SERVICES, "control": CONTROL, "compute": COMPUTE}[
        entry.get("services", "all")
    ]
    if entry.get("by_application"):
        telling = (hint for hint in reversed(around.hints) if "nova" in hint and services_named(hint))
        services = next((services_named(hint) for hint in telling), services)
    scope = Scope(services, around.where, entry["dialect"])
    if entry["form"] == "filters":
        names = [element.text for element in value.elements()] or [value.text]
        yield Option(entry["option"], ",".join(names), value.location, scope)
        return
    if entry["form"] == "texts" and value.is_scalar and value.text and "{{" not in value.text:
        why = "the role writes each element of a list, and takes a text letter by letter"
        yield Option(entry["option"], value.text, value.location, scope, place(value, source), None, why, "- '{…}'")
        return
    for element in value.elements() or [value]:
        text = "" if element.text == "" and element.is_scalar else _text(element)
        if not text:
            continue
        if element.is_mapping and entry["form"] == "texts":
            text = str(_plain(element))  # what Jinja's {{ item }} writes of a mapping
        if element.is_scalar:
            yield Option(entry["option"], text, element.location, scope, place(element, source))
        else:
            yield Option(entry["option"], text, element.location, scope, node=element)
