"""What files say about devices, roles and flavors, as written."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from preflight.finding import Location
from preflight.nova_conf import COMPUTE, CONTROL, Option, Scope
from preflight.yaml_source import Node, YamlError, compose
from probes.references import NVIDIA_VENDOR_ID

LARGEST_ID = 0xFFFF
TRIPLEO = Scope(dialect="tripleo")
API_KEY = "nova::api::pci_alias"
"""nova::api is a class of the API's host: its key has no effect on a compute."""
API = frozenset({"api"})
CONTROL_ROLE = re.compile(r"control", re.I)


def canonical_id(text: str) -> str | None:
    """An id as Nova reads it, by `int(text, 16)`: 0x15F8 is 15f8; None for what it refuses."""
    try:
        number = int(text, 16)
    except ValueError:
        return None
    return f"{number:04x}" if 0 <= number <= LARGEST_ID else None


@dataclass(frozen=True)
class PciEntry:
    """One whitelist entry or alias, as written."""

    node: Node
    fields: dict[str, Node]
    role: str | None
    """Role that it is set for; None for all."""
    hiera_key: str | None = None
    is_list_in_text: bool = False
    """Whether it is one of several in one JSON text."""
    scope: Scope = TRIPLEO
    """Whose nova.conf has it."""

    def text(self, key: str) -> str | None:
        """A field as written; None if absent."""
        node = self.fields.get(key)
        return node.text if node is not None and node.is_scalar else None

    def id(self, key: str) -> str | None:
        """`vendor_id` or `product_id` as Nova keeps it: four lower-case hexadecimal digits, or `*`; else as written."""
        text = self.text(key)
        return text if text is None or key not in ("vendor_id", "product_id") else canonical_id(text) or text

    @cached_property
    def is_gpu(self) -> bool:
        """Whether the entry names NVIDIA's vendor id."""
        return self.id("vendor_id") == NVIDIA_VENDOR_ID


@dataclass(frozen=True)
class Role:
    """A role of a roles file."""

    name: Node
    services: frozenset[str]
    hostname_format: str
    """As the roles file has it, e.g. %stackname%-computegpu-%index%; TripleO's own default otherwise."""


@dataclass(frozen=True)
class FlavorUse:
    """A flavor that asks for devices by alias."""

    location: Location
    name: str
    request: str
    """Value of the extra spec pci_passthrough:alias, e.g. "a1:2"."""
    ram_mb: int | None = None

    @property
    def aliases(self) -> list[tuple[str, str]]:
        """Alias name and count as written, for each part of the request."""
        parts = [part.strip().partition(":") for part in self.request.split(",") if part.strip()]
        return [(name, count or "1") for name, _, count in parts]


def of_role(role: str | None) -> Scope:
    """Whose nova.conf a TripleO role's settings reach."""
    if role is None:
        return TRIPLEO
    services = CONTROL if CONTROL_ROLE.search(role) else COMPUTE
    return Scope(services, role, "tripleo")


def entries_of(value: Node, role: str | None, hiera_key: str | None) -> Iterator[PciEntry]:
    """Entries that a parameter or a hiera key sets: mappings, or JSON texts as nova.conf has them."""
    scope = of_role(role)
    if hiera_key == API_KEY:
        scope = Scope(scope.services & API, role, "tripleo")
    for node in value.elements() or [value]:
        if node.is_mapping:
            yield PciEntry(node, {key.text: data for key, data in node.items()}, role, hiera_key, scope=scope)
        elif node.is_scalar and node.text.lstrip().startswith(("{", "[")):
            yield from _entries_of_json(node, role, hiera_key, scope)


def entries_of_option(option: Option) -> Iterator[PciEntry]:
    """Entries of an option of nova.conf, each field with its position in the file where that can be told."""
    if option.node is not None:
        for node in option.node.elements() or [option.node]:
            if node.is_mapping:
                yield PciEntry(node, {key.text: data for key, data in node.items()}, None, scope=option.scope)
        return
    try:
        root = compose(option.location.path, option.value)
    except YamlError:
        return
    for entry in (root.elements() or [root]) if root else ():
        if entry.is_mapping:
            fields = {key.text: _placed(value, option) for key, value in entry.items()}
            node = dataclasses.replace(entry, origin=option.location)
            yield PciEntry(node, fields, None, scope=option.scope)


def _placed(node: Node, option: Option) -> Node:
    mark = node.raw.start_mark
    where = option.place.at(mark.line, mark.column) if option.place else option.location
    return dataclasses.replace(node, origin=where)


def _entries_of_json(node: Node, role: str | None, hiera_key: str | None, scope: Scope) -> Iterator[PciEntry]:
    """Entries written as JSON inside a string, as nova.conf has them: JSON is YAML, too."""
    try:
        root = compose(node.path, node.text)
    except YamlError:
        return
    for entry in (root.elements() or [root]) if root else ():
        if entry.is_mapping:
            fields = {key.text: dataclasses.replace(data, origin=node.location) for key, data in entry.items()}
            is_list = root is not None and root.is_list
            yield PciEntry(node, fields, role, hiera_key, is_list, scope)
