"""Heat templates: types, properties, functions and references that Heat would refuse, and traps that it takes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any

from preflight.catalogue import rule
from preflight.deployment import Deployment, resources
from preflight.finding import Finding, Rule
from preflight.releases import RELEASES, load_data
from preflight.yaml_source import Node

UNKNOWN_TYPE = rule("GP501")
UNKNOWN_PROPERTY = rule("GP502")
MISSING_PROPERTY = rule("GP503")
UNKNOWN_FUNCTION = rule("GP504")
UNKNOWN_VERSION = rule("GP505")
DANGLING_REFERENCE = rule("GP506")
UNKNOWN_ATTRIBUTE = rule("GP507")
NO_ROOT_DISK = rule("GP508")
WEAK_ROLE = rule("GP509")
NO_SIGNAL = rule("GP510")
UNUSED_PARAMETER = rule("GP511")
NO_OUTPUT = rule("GP512")
UNDEFINED_FLAVOR = rule("GP513")
UNDEFINED_IMAGE = rule("GP514")
VERSION_TOO_NEW = rule("GP515")
TYPE_TOO_NEW = rule("GP516")
NO_SUCH_FILE = rule("GP517")
RULES = (
    NO_SUCH_FILE,
    VERSION_TOO_NEW,
    TYPE_TOO_NEW,
    UNKNOWN_TYPE,
    UNKNOWN_PROPERTY,
    MISSING_PROPERTY,
    UNKNOWN_FUNCTION,
    UNKNOWN_VERSION,
    DANGLING_REFERENCE,
    UNKNOWN_ATTRIBUTE,
    NO_ROOT_DISK,
    WEAK_ROLE,
    NO_SIGNAL,
    UNUSED_PARAMETER,
    NO_OUTPUT,
    UNDEFINED_FLAVOR,
    UNDEFINED_IMAGE,
)
TENANT_ROLES = {"member", "_member_", "Member"}
PSEUDO_PARAMETERS = {"OS::stack_name", "OS::stack_id", "OS::project_id"}
BASE_ATTRIBUTES = {"show"}
NEWTON_HEAT = 7
DYNAMIC_ATTRIBUTES = (
    "OS::Heat::ResourceGroup",
    "OS::Heat::ResourceChain",
    "OS::Heat::AutoScalingGroup",
    "OS::Heat::Value",
    "OS::Heat::Stack",
    "OS::Heat::SoftwareDeployment",
    "OS::Heat::SoftwareDeploymentGroup",
    "OS::Heat::StructuredDeployment",
    "OS::Heat::StructuredDeploymentGroup",
)
"""Their attributes are made from what they hold."""
CLOUD_RESOURCES = ("OS::Nova::", "OS::Keystone::", "OS::Glance::")
TRIPLEO_INTERFACE = {"ServiceNetMap", "ServiceData", "EndpointMap", "RoleParameters", "DefaultPasswords"}
INSTALLS = ("yum ", "dnf ", "apt-get ", "make ")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for template in deployment.files.templates:
        yield from _version(deployment, template)
        for name, resource in resources(template):
            yield from _resource(deployment, template, name, resource)
        yield from _functions(template)
        yield from _references(template)
        yield from _unused(template)
        yield from _signal(template)
        yield from _outputs(template)
    yield from _flavors_and_images(deployment)
    roots = [root.resolve() for root in deployment.files.roots if root.is_dir()]
    for path, node in deployment.files.get_file_targets():
        inside = any(path.resolve().is_relative_to(root) for root in roots) and path.parent.is_dir()
        if inside and not path.exists() and not any(path.parent.glob("*.j2*")) and "{{" not in node.text:
            yield NO_SUCH_FILE.at(
                node.location,
                node.text,
                f"relative paths start at the template's own directory; {path.parent} has no {path.name}",
                "add the file, or correct the name",
            )


def is_jinja_text(text: str) -> bool:
    """Whether a name is put in by a renderer."""
    return "{{" in text


@cache
def _versions() -> dict[str, set[str]]:
    """Functions by template version, each with those of the versions before it."""
    functions: set[str] = set()
    by_version: dict[str, set[str]] = {}
    for version, entry in load_data("heat_functions.yaml")["versions"].items():
        functions = functions | set(entry["added"])
        by_version[version] = functions
    return by_version | {name: by_version[date] for name, date in load_data("heat_functions.yaml")["names"].items()}


def _version(deployment: Deployment, template: Node) -> Iterator[Finding]:
    version = template.get("heat_template_version")
    if version is None:
        return
    if version.text not in _versions():
        newest = max(known for known in _versions() if known[0].isdigit())
        yield UNKNOWN_VERSION.at(version.location, version.text, "there is no such version", f"e.g. {newest}")
        return
    dates = {str(date): name for name, date in load_data("heat_functions.yaml")["names"].items()}
    release = dates.get(version.text, version.text)
    if deployment.release and release in RELEASES and RELEASES.index(release) > RELEASES.index(deployment.release):
        ours = [date for date, name in dates.items() if RELEASES.index(name) <= RELEASES.index(deployment.release)]
        yield VERSION_TOO_NEW.at(
            version.location,
            version.text,
            f"it came with {release.title()}; Heat of {deployment.release.title()} refuses it",
            f"heat_template_version: {max(ours)}",
        )


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
        yield NO_ROOT_DISK.at(
            location,
            name.text,
            f"disk defaults to 0; Nova refuses such flavors to tenants who boot from an image{beside}",
            "disk: 40",
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


def resolve(template: Node, node: Node) -> str | None:
    """A scalar's text, or the default of the parameter it gets; None if it cannot be known."""
    if node.is_scalar:
        return node.text
    parameter = node.get("get_param")
    if parameter is None or not parameter.is_scalar:
        return None
    default = template.find("parameters", parameter.text, "default")
    return default.text if default is not None and default.is_scalar else None


def _functions(template: Node) -> Iterator[Finding]:
    version = template.get("heat_template_version")
    allowed = _versions().get(version.text) if version else None
    if allowed is None:
        return
    every = set().union(*_versions().values())
    for section in ("resources", "outputs"):
        block = template.get(section)
        for node in block.walk() if block else ():
            pairs = list(node.items())
            if len(pairs) == 1 and pairs[0][0].text in every - allowed:
                function = pairs[0][0]
                first = next(known for known, functions in _versions().items() if function.text in functions)
                yield UNKNOWN_FUNCTION.at(
                    function.location,
                    function.text,
                    f"version {version.text if version else ''} does not have it",
                    f"heat_template_version: {first} or later",
                )


def _definitions(template: Node, section: str) -> set[str]:
    block = template.get(section)
    return {key.text for key, _ in block.items()} if block else set()


def _references(template: Node) -> Iterator[Finding]:
    names, parameters = _definitions(template, "resources"), _definitions(template, "parameters")
    for node in template.walk():
        for key, value in node.items() if node.is_mapping and len(node.raw.value) == 1 else ():
            target = value if value.is_scalar else next(iter(value.elements()), None)
            if target is None or not target.is_scalar or " " in target.text or is_jinja_text(target.text):
                continue
            if key.text in ("get_resource", "get_attr") and target.text not in names:
                yield _dangling(target, "resource", names)
            elif key.text == "get_param" and target.text not in parameters | PSEUDO_PARAMETERS:
                yield _dangling(target, "parameter", parameters)
            elif key.text == "get_attr":
                yield from _attribute(template, value)


def _dangling(target: Node, what: str, known: set[str]) -> Finding:
    near = difflib.get_close_matches(target.text, known, n=1, cutoff=0.6)
    return DANGLING_REFERENCE.at(
        target.location,
        target.text,
        f"the template defines no {what} '{target.text}'",
        f"did you mean {near[0]}?" if near else f"define it, or name one of: {', '.join(sorted(known)) or 'none'}",
    )


def _attribute(template: Node, value: Node) -> Iterator[Finding]:
    path = value.elements()
    if len(path) < 2 or not path[1].is_scalar:
        return
    kind = template.find("resources", path[0].text, "type")
    schema = load_data("heat_resources.yaml").get(kind.text) if kind else None
    if schema is None or not schema["attributes"] or path[1].text in set(schema["attributes"]) | BASE_ATTRIBUTES:
        return
    if kind is not None and kind.text in DYNAMIC_ATTRIBUTES:
        return
    near = difflib.get_close_matches(path[1].text, schema["attributes"], n=1, cutoff=0.6)
    yield UNKNOWN_ATTRIBUTE.at(
        path[1].location,
        f"{path[0].text}.{path[1].text}",
        f"{kind.text if kind else 'the type'} has the attributes {', '.join(schema['attributes'])}",
        f"did you mean {near[0]}?" if near else "name one of these, or ask another resource",
    )


def is_of_a_tenant(template: Node) -> bool:
    """Whether a person makes a stack of it; TripleO's own templates take parameters by agreement, used or not."""
    kinds = [kind.text for kind in _types(template).values()]
    return any(kind.startswith(CLOUD_RESOURCES) for kind in kinds) and not (
        TRIPLEO_INTERFACE & _definitions(template, "parameters")
    )


def _unused(template: Node) -> Iterator[Finding]:
    if not is_of_a_tenant(template):
        return
    block = template.get("parameters")
    used = {
        (value if value.is_scalar else next(iter(value.elements()), value)).text
        for node in template.walk()
        for key, value in node.items()
        if key.text == "get_param"
    }
    text_uses = " ".join(node.text for node in template.walk() if node.is_scalar and "{" in node.text)
    for key, _ in block.items() if block and template.get("resources") else ():
        if key.text not in used and key.text not in text_uses:
            yield UNUSED_PARAMETER.at(
                key.location, key.text, "no resource and no output gets it", "leave it out, or use it"
            )


def _types(template: Node) -> dict[str, Node]:
    return {name.text: kind for name, resource in resources(template) if (kind := resource.get("type")) is not None}


def _signal(template: Node) -> Iterator[Finding]:
    kinds = {kind.text for kind in _types(template).values()}
    if "OS::Nova::Server" not in kinds or kinds & {"OS::Heat::WaitCondition", "OS::Heat::SoftwareDeployment"}:
        return
    for _, resource in resources(template):
        config = resource.find("properties", "config")
        if config is not None and config.is_block_text and any(word in config.text for word in INSTALLS):
            yield NO_SIGNAL.at(
                config.location,
                "config: |",
                "nothing waits for this script: no OS::Heat::WaitCondition is signalled by it",
                "add OS::Heat::WaitConditionHandle and OS::Heat::WaitCondition, and signal as the script's last step",
            )


def _outputs(template: Node) -> Iterator[Finding]:
    kinds = {kind.text for kind in _types(template).values()}
    if {"OS::Nova::Server", "OS::Neutron::FloatingIP"} <= kinds and template.get("outputs") is None:
        root = template.get("resources")
        if root is not None:
            yield NO_OUTPUT.at(root.location, "", "the template has no outputs", "outputs: the floating IP's address")


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
        if command.runs("openstack", what, "create") and len(command.words) > 3
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
