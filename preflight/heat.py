"""Parts of a Heat template: resources, types, definitions, values."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.yaml_source import Node

CLOUD_RESOURCES = ("OS::Nova::", "OS::Keystone::", "OS::Glance::")
TRIPLEO_INTERFACE = {"ServiceNetMap", "ServiceData", "EndpointMap", "RoleParameters", "DefaultPasswords"}


def resources(template: Node) -> Iterator[tuple[Node, Node]]:
    """Name and definition of each resource of a Heat template."""
    block = template.get("resources")
    if block:
        yield from block.items()


def is_jinja_text(text: str) -> bool:
    """Whether a name is put in by a renderer."""
    return "{{" in text


def resolve(template: Node, node: Node) -> str | None:
    """A scalar's text, or the default of the parameter it gets; None if it cannot be known."""
    if node.is_scalar:
        return node.text
    parameter = node.get("get_param")
    if parameter is None or not parameter.is_scalar:
        return None
    default = template.find("parameters", parameter.text, "default")
    return default.text if default is not None and default.is_scalar else None


def is_of_a_tenant(template: Node) -> bool:
    """Whether a person makes a stack of it; TripleO's own templates take parameters by agreement, used or not."""
    kinds = [kind.text for kind in types_of(template).values()]
    return any(kind.startswith(CLOUD_RESOURCES) for kind in kinds) and not (
        TRIPLEO_INTERFACE & definitions(template, "parameters")
    )


def types_of(template: Node) -> dict[str, Node]:
    """Type of each resource by name."""
    return {name.text: kind for name, resource in resources(template) if (kind := resource.get("type")) is not None}


def definitions(template: Node, section: str) -> set[str]:
    """Names that a section of the template defines."""
    block = template.get(section)
    return {key.text for key, _ in block.items()} if block else set()
