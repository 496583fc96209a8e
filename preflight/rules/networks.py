"""Networks of tenants and of the deployment: routers of another project, addresses that two sides give out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Location
from preflight.heat import resolve, resources
from preflight.yaml_source import Node

ROUTER_OF_ANOTHER = rule("GP518")
SHARED_POOL = rule("GP519")
RULES = (ROUTER_OF_ANOTHER, SHARED_POOL)
OWNER = ("tenant_id", "project_id")
PARAMETER = re.compile(r"\w+AllocationPools\Z")
POOL = re.compile(r"start=(?P<start>[\da-fA-F.:]+),end=(?P<end>[\da-fA-F.:]+)")
Pool = tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ipaddress.IPv4Address | ipaddress.IPv6Address]


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for template in deployment.files.templates:
        yield from _routers(template)
    yield from _pools(deployment)


def _routers(template: Node) -> Iterator[Finding]:
    """In a template of the administrator, what names no project is the administrator's own."""
    made = [(name, resource) for name, resource in resources(template) if _kind(resource).startswith("OS::Neutron::")]
    networks = [item for item in made if _kind(item[1]) in ("OS::Neutron::Net", "OS::Neutron::Subnet")]
    if not any(_has_owner(resource) for _, resource in networks):
        return
    attached = {
        target.text
        for _, resource in made
        if _kind(resource) == "OS::Neutron::RouterInterface"
        and (target := resource.find("properties", "router", "get_resource")) is not None
    }
    for name, resource in made:
        # who attaches it in the same template leaves nothing for the tenant to do with it
        if _kind(resource) == "OS::Neutron::Router" and not _has_owner(resource) and name.text not in attached:
            yield ROUTER_OF_ANOTHER.at(
                name.location,
                name.text,
                "the networks name their project, the router does not: it is that of whoever makes the stack",
                "value_specs: {tenant_id: …}, as the networks have it",
            )


def _kind(resource: Node) -> str:
    kind = resource.get("type")
    return kind.text if kind is not None else ""


def _has_owner(resource: Node) -> bool:
    places = (("properties",), ("properties", "value_specs"))
    return any(resource.find(*place, key) is not None for place in places for key in OWNER)


def _pools(deployment: Deployment) -> Iterator[Finding]:
    """The deployment takes its own addresses from its pools; Neutron gives out those of a subnet."""
    own = [
        (name.text, pool)
        for name, value in deployment.parameters
        if PARAMETER.match(name.text)
        for element in value.elements()
        if (pool := _pool(_text(element, "start"), _text(element, "end")))
    ]
    for location, (start, end) in [*_of_commands(deployment), *_of_templates(deployment)]:
        for name, (first, last) in own:
            if first.version == start.version and int(first) <= int(end) and int(start) <= int(last):
                yield SHARED_POOL.at(
                    location,
                    f"{start} to {end}",
                    f"{name} has {first} to {last}: the controllers and the VIPs are given addresses of it, too",
                    "two ranges that do not overlap",
                )
                break


def _of_commands(deployment: Deployment) -> Iterator[tuple[Location, Pool]]:
    for command in deployment.files.commands:
        is_subnet = command.runs("openstack", "subnet", "create") or command.runs("neutron", "subnet-create")
        for text in command.options("--allocation-pool") if is_subnet else ():
            found = POOL.search(text)
            pool = _pool(found["start"], found["end"]) if found else None
            if pool is not None:
                yield command.location, pool


def _of_templates(deployment: Deployment) -> Iterator[tuple[Location, Pool]]:
    for template in deployment.files.templates:
        for _, resource in resources(template):
            listed = resource.find("properties", "allocation_pools")
            for element in listed.elements() if listed and _kind(resource) == "OS::Neutron::Subnet" else ():
                ends = [resolve(template, node) if (node := element.get(key)) else None for key in ("start", "end")]
                pool = _pool(*ends)
                if pool is not None:
                    yield element.location, pool


def _text(node: Node, key: str) -> str | None:
    found = node.get(key)
    return found.text if found is not None else None


def _pool(start: str | None, end: str | None) -> Pool | None:
    try:
        return ipaddress.ip_address(start or ""), ipaddress.ip_address(end or "")
    except ValueError:
        return None
