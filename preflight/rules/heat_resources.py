"""Resources of Heat templates: types, properties, flavors, images and roles that Heat or Nova would refuse."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Rule
from preflight.heat import resolve, resources
from preflight.releases import RELEASES, load_data
from preflight.yaml_source import Node

UNKNOWN_TYPE = rule("GP501")
UNKNOWN_PROPERTY = rule("GP502")
MISSING_PROPERTY = rule("GP503")
NO_ROOT_DISK = rule("GP508")
WEAK_ROLE = rule("GP509")
UNDEFINED_FLAVOR = rule("GP513")
UNDEFINED_IMAGE = rule("GP514")
TYPE_TOO_NEW = rule("GP516")
RULES = (
    UNKNOWN_TYPE,
    UNKNOWN_PROPERTY,
    MISSING_PROPERTY,
    NO_ROOT_DISK,
    WEAK_ROLE,
    UNDEFINED_FLAVOR,
    UNDEFINED_IMAGE,
    TYPE_TOO_NEW,
)
TENANT_ROLES = {"member", "_member_", "Member"}
NEWTON_HEAT = 7


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for template in deployment.files.templates:
        for name, resource in resources(template):
            yield from _resource(deployment, template, name, resource)
    yield from _flavors_and_images(deployment)


def _too_new(deployment: Deployment, kind: Node, schema: dict[str, Any], properties: Node | None) -> Iterator[Finding]:
    if deployment.release is None:
        return
    major = RELEASES.index(deployment.release) + NEWTON_HEAT
    if schema["since"] > major:
        yield TYPE_TOO_NEW.at(
            kind.location,
            kind.text,
            f"it came with {_release_of(schema['since'])}, later than {deployment.release.title()}",
            "make it with a command instead, or leave it out",
        )
    for key, _ in properties.items() if properties else ():
        if schema["newer"].get(key.text, 0) > major:
            yield TYPE_TOO_NEW.at(
                key.location,
                key.text,
                f"{kind.text} has '{key.text}' from {_release_of(schema['newer'][key.text])} on",
                "leave it out",
            )


def _release_of(major: int) -> str:
    index = major - NEWTON_HEAT
    return RELEASES[index].title() if index < len(RELEASES) else f"Heat {major}"


def _resource(deployment: Deployment, template: Node, name: Node, resource: Node) -> Iterator[Finding]:
    kind = resource.get("type")
    if kind is None or not kind.text.startswith("OS::") or kind.text.startswith("OS::TripleO::"):
        return
    types = load_data("heat_resources.yaml")
    if kind.text not in types:
        near = difflib.get_close_matches(kind.text, types, n=1, cutoff=0.8)
        if near:  # a type of a plugin, or one that newer releases dropped, is not ours to judge
            yield UNKNOWN_TYPE.at(kind.location, kind.text, "Heat has no such type", f"did you mean {near[0]}?")
        return
    schema = types[kind.text]
    properties = resource.get("properties")
    if resource.get("external_id") is not None:
        return
    given = {key.text for key, _ in properties.items()} if properties else set()
    for key, _ in properties.items() if properties else ():
        if schema["properties"] and key.text not in schema["properties"] and not key.text.startswith("Fn::"):
            near = difflib.get_close_matches(key.text, schema["properties"], n=1, cutoff=0.6)
            yield UNKNOWN_PROPERTY.at(
                key.location,
                key.text,
                f"{kind.text} has no property '{key.text}'",
                f"did you mean {near[0]}?" if near else "leave it out",
            )
    for missing, stand_ins in sorted(schema["required"].items()):
        if missing not in given and not given.intersection(stand_ins):
            yield MISSING_PROPERTY.at(name.location, name.text, f"{kind.text} needs '{missing}'", f"{missing}: …")
    yield from _too_new(deployment, kind, schema, properties)
    yield from _flavor(deployment, kind, name, properties)
    if deployment.is_at_least("2023.1"):  # Nova's policies ask for a role by name from then on
        yield from _user(template, kind, properties)


def _flavor(deployment: Deployment, kind: Node, name: Node, properties: Node | None) -> Iterator[Finding]:
    if kind.text != "OS::Nova::Flavor" or properties is None:
        return
    specs = properties.get("extra_specs")
    gives_cards = specs is not None and specs.get("pci_passthrough:alias") is not None
    if deployment.release and not deployment.is_at_least("stein") and not gives_cards:
        return  # Nova let tenants have them until then
    disk = properties.get("disk")
    if disk is None or (disk.is_scalar and disk.text == "0"):
        location = disk.location if disk else name.location
        beside = " (ephemeral is a second disk)" if properties.get("ephemeral") else ""
        before = deployment.release is not None and not deployment.is_at_least("stein")
        yield NO_ROOT_DISK.at(
            location,
            name.text,
            f"disk defaults to 0: the root disk is as large as the image, without room for driver and CUDA{beside}"
            if before
            else f"disk defaults to 0; Nova refuses such flavors to tenants who boot from an image{beside}",
            "disk: 40",
            seen_as="while CUDA is installed in the instance: 'No space left on device'" if before else None,
        )


def _user(template: Node, kind: Node, properties: Node | None) -> Iterator[Finding]:
    roles = properties.get("roles") if properties and kind.text == "OS::Keystone::User" else None
    if roles is None:
        return
    assigned = [role for entry in roles.elements() if (role := entry.get("role")) is not None]
    defaults = {resolve(template, role) for role in assigned}
    if assigned and None not in defaults and not defaults & (TENANT_ROLES | {"admin"}):
        yield WEAK_ROLE.at(
            assigned[0].location,
            ", ".join(sorted(map(str, defaults))),
            "none of the user's roles is 'member'; Heat and Nova refuse it",
            "role: member",
        )


def _flavors_and_images(deployment: Deployment) -> Iterator[Finding]:
    flavors = _created(deployment, "flavor") | {
        text
        for template in deployment.files.templates
        for _, resource in resources(template)
        if _is(resource, "OS::Nova::Flavor")
        and (name := resource.find("properties", "name"))
        and (text := resolve(template, name))
    }
    images = _created(deployment, "image")
    for template in deployment.files.templates:
        for _, resource in resources(template):
            if _is(resource, "OS::Nova::Server"):
                yield from _named(template, resource, "flavor", flavors, UNDEFINED_FLAVOR)
                yield from _named(template, resource, "image", images, UNDEFINED_IMAGE)


def _is(resource: Node, kind: str) -> bool:
    found = resource.get("type")
    return found is not None and found.text == kind


def _created(deployment: Deployment, what: str) -> set[str]:
    return {
        command.words[-1]
        for command in deployment.files.commands
        if command.runs("openstack", what, "create") and len(command.words) > 3 and "{{" not in command.text
    }


def _named(template: Node, resource: Node, key: str, known: set[str], rule: Rule) -> Iterator[Finding]:
    node = resource.find("properties", key)
    name = resolve(template, node) if node else None
    if node is not None and name and known and name not in known and not any("$" in item for item in known):
        yield rule.at(
            node.location,
            f"{key}: {name}",
            f"these files create {', '.join(sorted(known))}",
            f"{key}: {sorted(known)[0]}",
        )
