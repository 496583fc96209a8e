"""Heat templates: versions, functions and references that Heat would refuse, and traps that it takes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding
from preflight.heat import definitions, is_jinja_text, is_of_a_tenant, resources, types_of
from preflight.releases import RELEASES, load_data
from preflight.rules import heat_resources, networks
from preflight.yaml_source import Node

UNKNOWN_FUNCTION = rule("GP504")
UNKNOWN_VERSION = rule("GP505")
DANGLING_REFERENCE = rule("GP506")
UNKNOWN_ATTRIBUTE = rule("GP507")
NO_SIGNAL = rule("GP510")
UNUSED_PARAMETER = rule("GP511")
NO_OUTPUT = rule("GP512")
VERSION_TOO_NEW = rule("GP515")
NO_SUCH_FILE = rule("GP517")
RULES = (
    NO_SUCH_FILE,
    VERSION_TOO_NEW,
    UNKNOWN_FUNCTION,
    UNKNOWN_VERSION,
    DANGLING_REFERENCE,
    UNKNOWN_ATTRIBUTE,
    NO_SIGNAL,
    UNUSED_PARAMETER,
    NO_OUTPUT,
    *heat_resources.RULES,
    *networks.RULES,
)
PSEUDO_PARAMETERS = {"OS::stack_name", "OS::stack_id", "OS::project_id"}
BASE_ATTRIBUTES = {"show"}
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
INSTALLS = ("yum ", "dnf ", "apt-get ", "make ")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for template in deployment.files.templates:
        yield from _version(deployment, template)
        yield from _functions(template)
        yield from _references(template)
        yield from _unused(template)
        yield from _signal(template)
        yield from _outputs(template)
    roots = [root.resolve() for root in deployment.files.roots if root.is_dir()]
    for path, node in deployment.files.get_file_targets:
        inside = any(path.resolve().is_relative_to(root) for root in roots) and path.parent.is_dir()
        if inside and not path.exists() and not any(path.parent.glob("*.j2*")) and "{{" not in node.text:
            yield NO_SUCH_FILE.at(
                node.location,
                node.text,
                f"relative paths start at the template's own directory; {path.parent} has no {path.name}",
                "add the file, or correct the name",
            )
    yield from heat_resources.check(deployment)
    yield from networks.check(deployment)


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


def _references(template: Node) -> Iterator[Finding]:
    names, parameters = definitions(template, "resources"), definitions(template, "parameters")
    for node in template.nodes:
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


def _unused(template: Node) -> Iterator[Finding]:
    if not is_of_a_tenant(template):
        return
    block = template.get("parameters")
    used = {
        (value if value.is_scalar else next(iter(value.elements()), value)).text
        for node in template.nodes
        for key, value in node.items()
        if key.text == "get_param"
    }
    text_uses = " ".join(node.text for node in template.nodes if node.is_scalar and "{" in node.text)
    for key, _ in block.items() if block and template.get("resources") else ():
        if key.text not in used and key.text not in text_uses:
            yield UNUSED_PARAMETER.at(
                key.location, key.text, "no resource and no output gets it", "leave it out, or use it"
            )


def _signal(template: Node) -> Iterator[Finding]:
    kinds = {kind.text for kind in types_of(template).values()}
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
    kinds = {kind.text for kind in types_of(template).values()}
    if {"OS::Nova::Server", "OS::Neutron::FloatingIP"} <= kinds and template.get("outputs") is None:
        root = template.get("resources")
        if root is not None:
            yield NO_OUTPUT.at(root.location, "", "the template has no outputs", "outputs: the floating IP's address")
