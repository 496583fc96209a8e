"""Which ConfigMaps reach nova-compute in RHOSO: its service names them, and its container takes their files over.

https://github.com/openstack-k8s-operators/edpm-ansible/blob/main/roles/edpm_nova/files/kolla_config/nova_compute.yaml
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Location
from preflight.nova_conf import COMPUTE
from preflight.spelling import nearest
from preflight.yaml_source import Node

NOT_NAMED = rule("GP242")
NOT_TAKEN_OVER = rule("GP243")
RULES = (NOT_NAMED, NOT_TAKEN_OVER)

BY_DEFAULT = "nova-extra-config"
"""The ConfigMap that the data plane's own nova service names, if there is one."""
RENAMES = re.compile(r"^[ \t]*name(?:Prefix|Suffix)\s*:", re.M)


@dataclass(frozen=True)
class Snippet:
    """A file of nova.conf in a ConfigMap or Secret."""

    name: Node
    file: Node


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    documents = deployment.files.documents
    settings = [
        option.location
        for option in deployment.files.settings
        if option.name.startswith("pci/") and option.scope.services & COMPUTE
    ]
    snippets = [found for root in documents for found in _snippets(root, settings)]
    services = [root for root in documents if _is_nova_service(root)]
    if snippets and services and not _renames(deployment.files.texts.values()):
        yield from _not_named(snippets, services)
    for snippet in snippets:
        if "nova" not in snippet.file.text:
            stem = snippet.file.text.removesuffix(".conf")
            yield NOT_TAKEN_OVER.at(
                snippet.file.location,
                snippet.file.text,
                "nova-compute's container takes *nova*.conf over, and no other file",
                f"{stem}-nova.conf",
            )


def _renames(texts: Iterable[str]) -> bool:
    """Whether kustomize gives the manifests other names than they have here."""
    return any(word in text and RENAMES.search(text) for text in texts for word in ("namePrefix", "nameSuffix"))


def _snippets(root: Node, settings: list[Location]) -> Iterator[Snippet]:
    """Files with one of these settings, those of PCI for computes; a kustomize value of another form is none."""
    name = root.find("metadata", "name")
    if _text(root.get("kind")) not in ("ConfigMap", "Secret") or name is None:
        return
    lines = {where.line for where in settings if where.path == root.path}
    for field in ("data", "stringData"):
        block = root.get(field)
        for key, value in block.items() if block else ():
            last = value.location.line + value.text.count("\n") + 1
            if key.text.endswith(".conf") and any(value.location.line <= line <= last for line in lines):
                yield Snippet(name, key)


def _is_nova_service(root: Node) -> bool:
    names = (root.find("spec", "edpmServiceType"), root.find("spec", "playbook"), root.find("metadata", "name"))
    return _text(root.get("kind")) == "OpenStackDataPlaneService" and any("nova" in _text(name) for name in names)


def _text(node: Node | None) -> str:
    return node.text if node else ""


def _sources(service: Node) -> Iterator[Node]:
    """Names of what the service takes in, of today's form and of the one before the first release."""
    sources = service.find("spec", "dataSources")
    for source in sources.elements() if sources else ():
        for reference in ("configMapRef", "secretRef"):
            if (name := source.find(reference, "name")) is not None:
                yield name
    for field in ("configMaps", "secrets"):
        listed = service.find("spec", field)
        yield from listed.elements() if listed else ()


def _not_named(snippets: list[Snippet], services: list[Node]) -> Iterator[Finding]:
    known = sorted({name.text for service in services for name in _sources(service)})
    if any("{{" in name for name in known):
        return
    for snippet in snippets:
        if snippet.name.text in (*known, BY_DEFAULT) or "{{" in snippet.name.text:
            continue
        near = nearest(snippet.name.text, known)
        yield NOT_NAMED.at(
            snippet.name.location,
            snippet.name.text,
            f"dataSources of the data plane's nova service name {', '.join(known) or 'nothing'}",
            f"name it {near}, as the service does" if near else "name this one in the service's dataSources",
        )
