"""Scheduler filters: is the one that knows PCI devices there, and does the release have all that are named?"""

from __future__ import annotations

from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Location, Replacement
from preflight.releases import Lifetime, load_data
from preflight.spelling import nearest
from preflight.yaml_source import Node

NO_PCI_FILTER = rule("GP301")
FILTER_UNKNOWN = rule("GP302")
FILTER_GONE = rule("GP303")
FILTERS_NOT_A_LIST = rule("GP304")
FILTERS_UNSET = rule("GP305")
UNSCOPED_EXTRA_SPEC = rule("GP306")
RULES = (NO_PCI_FILTER, FILTER_UNKNOWN, FILTER_GONE, FILTERS_NOT_A_LIST, FILTERS_UNSET, UNSCOPED_EXTRA_SPEC)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for name, value in deployment.filters:
        yield from _filter_list(deployment, name, value)
    if deployment.gives_gpus and not deployment.filters and _is_whole_deployment(deployment):
        entry = (deployment.whitelist or deployment.aliases)[0]
        yield FILTERS_UNSET.at(
            entry.node.location,
            "",
            "neither NovaSchedulerDefaultFilters nor NovaSchedulerEnabledFilters is set",
            "set the list of your release with PciPassthroughFilter in it",
        )
    yield from _extra_specs(deployment)


def _is_whole_deployment(deployment: Deployment) -> bool:
    """Whether we were given both halves: a lone snippet is not blamed for what stands elsewhere."""
    environments = {environment.path for environment in deployment.files.environments}
    return all(
        any(entry.node.location.path in environments for entry in entries)
        for entries in (deployment.whitelist, deployment.aliases)
    )


def _names(value: Node) -> list[tuple[Node, str]]:
    if value.is_list:
        return [(element, element.text) for element in value.elements()]
    return [(value, part.strip()) for part in value.text.split(",") if part.strip()]


def _filter_list(deployment: Deployment, parameter: Node, value: Node) -> Iterator[Finding]:
    if value.is_scalar and " " in value.text.strip() and "," not in value.text:
        yield FILTERS_NOT_A_LIST.at(value.location, value.text, "spaces do not part filters", "write a YAML list")
        return
    named = [(node, name.rsplit(".", 1)[-1]) for node, name in _names(value)]
    if not named:
        return
    known = {name: Lifetime(*span) for name, span in load_data("filters.yaml")["filters"].items()}
    for node, name in named:
        yield from _one_filter(deployment, known, node, name, [other for _, other in named])
    if deployment.gives_gpus and "PciPassthroughFilter" not in {name for _, name in named}:
        yield NO_PCI_FILTER.at(
            parameter.location,
            parameter.text,
            "only this filter keeps GPU instances from hosts without a free card",
            "add PciPassthroughFilter to the list",
        )


def _one_filter(
    deployment: Deployment, known: dict[str, Lifetime], node: Node, name: str, listed: list[str]
) -> Iterator[Finding]:
    if name not in known:
        near = nearest(name, known)
        if near:  # otherwise a filter of the user's own
            yield FILTER_UNKNOWN.at(
                node.location,
                name,
                "Nova has no such filter",
                f"did you mean {near}?",
                Replacement(name, near) if near not in listed and node.text == name else None,
            )
    elif not known[name].covers(deployment.release) and deployment.release != "newton":
        span = known[name]
        yield FILTER_GONE.at(
            node.location,
            name,
            f"Nova had it from {span.first.title()} to {span.last.title()}",
            "leave it out; Placement does its work since then",
        )


def _extra_specs(deployment: Deployment) -> Iterator[Finding]:
    filters = {name for _, value in deployment.filters for _, name in _names(value)}
    if not {"AggregateInstanceExtraSpecsFilter", "ComputeCapabilitiesFilter"} <= filters:
        return
    for location, key in _unscoped_keys(deployment):
        yield UNSCOPED_EXTRA_SPEC.at(
            location,
            key,
            "both AggregateInstanceExtraSpecsFilter and ComputeCapabilitiesFilter read keys without scope",
            f"aggregate_instance_extra_specs:{key}",
        )


def _unscoped_keys(deployment: Deployment) -> Iterator[tuple[Location, str]]:
    for template in deployment.files.templates:
        for node in template.walk():
            specs = node.get("extra_specs")
            for key, _ in specs.items() if specs else ():
                if ":" not in key.text and key.text not in ("get_param", "hide_hypervisor_id"):
                    yield key.location, key.text
    for command in deployment.files.commands:
        if command.runs("openstack", "flavor", "set") or command.runs("openstack", "flavor", "create"):
            for setting in command.options("--property"):
                spec = setting.partition("=")[0].strip("\"'")
                if ":" not in spec and spec != "hide_hypervisor_id":
                    yield command.location, spec
