"""Scheduler filters: is the one that knows PCI devices there, and does the release have all that are named?"""

from __future__ import annotations

from collections.abc import Iterator

from preflight.deployment import Deployment
from preflight.finding import Finding, Place, Replacement, Rule, Severity
from preflight.releases import Lifetime, load_data
from preflight.spelling import nearest
from preflight.yaml_source import Node

SCHEDULING = "https://docs.openstack.org/nova/latest/admin/scheduling.html"
NO_PCI_FILTER = Rule(
    "GP301", "PciPassthroughFilter is not among the scheduler's filters", Severity.ERROR,
    "at a GPU instance: it is sent to a host without a free card, fails there, and ends in 'No valid host was found'",
    "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html",
)  # fmt: skip
FILTER_UNKNOWN = Rule(
    "GP302", "A filter that no release has", Severity.ERROR,
    "nova-scheduler does not start: SchedulerHostFilterNotFound", SCHEDULING,
)  # fmt: skip
FILTER_GONE = Rule(
    "GP303", "A filter that this release does not have", Severity.ERROR,
    "nova-scheduler does not start: SchedulerHostFilterNotFound", SCHEDULING,
)  # fmt: skip
FILTERS_NOT_A_LIST = Rule(
    "GP304", "The filters are one text, not a list", Severity.ERROR,
    "the deploy stops: 'Value must be a comma-delimited list string', or one filter of a strange name", SCHEDULING,
)  # fmt: skip
FILTERS_UNSET = Rule(
    "GP305", "GPUs are passed through and no environment file sets the scheduler's filters", Severity.ERROR,
    "at a GPU instance: Nova's default list has no PciPassthroughFilter", SCHEDULING,
)  # fmt: skip
UNSCOPED_EXTRA_SPEC = Rule(
    "GP306", "An extra spec without scope, read by two filters", Severity.ERROR,
    "at an instance of that flavor: ComputeCapabilitiesFilter takes the key for a capability: 'No valid host was found'",
    SCHEDULING,
)  # fmt: skip
RULES = (NO_PCI_FILTER, FILTER_UNKNOWN, FILTER_GONE, FILTERS_NOT_A_LIST, FILTERS_UNSET, UNSCOPED_EXTRA_SPEC)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for name, value in deployment.filters:
        yield from _filter_list(deployment, name, value)
    if deployment.gives_gpus and not deployment.filters and _is_whole_deployment(deployment):
        entry = (deployment.whitelist or deployment.aliases)[0]
        yield FILTERS_UNSET.at(
            entry.node.place, "", "neither NovaSchedulerDefaultFilters nor NovaSchedulerEnabledFilters is set",
            "set the list of your release with PciPassthroughFilter in it",
        )  # fmt: skip
    yield from _extra_specs(deployment)


def _is_whole_deployment(deployment: Deployment) -> bool:
    """Whether we were given both halves: a lone snippet is not blamed for what stands elsewhere."""
    environments = {environment.path for environment in deployment.files.environments}
    return all(
        any(entry.node.place.path in environments for entry in entries)
        for entries in (deployment.whitelist, deployment.aliases)
    )


def _names(value: Node) -> list[tuple[Node, str]]:
    if value.is_list:
        return [(element, element.text) for element in value.elements()]
    return [(value, part.strip()) for part in value.text.split(",") if part.strip()]


def _filter_list(deployment: Deployment, parameter: Node, value: Node) -> Iterator[Finding]:
    if value.is_scalar and " " in value.text.strip() and "," not in value.text:
        yield FILTERS_NOT_A_LIST.at(value.place, value.text, "spaces do not part filters", "write a YAML list")
        return
    named = [(node, name.rsplit(".", 1)[-1]) for node, name in _names(value)]
    if not named:
        return
    known = {name: Lifetime(*span) for name, span in load_data("filters.yaml")["filters"].items()}
    for node, name in named:
        yield from _one_filter(deployment, known, node, name)
    if deployment.gives_gpus and "PciPassthroughFilter" not in {name for _, name in named}:
        yield NO_PCI_FILTER.at(
            parameter.place, parameter.text, "only this filter keeps GPU instances from hosts without a free card",
            "add PciPassthroughFilter to the list",
        )  # fmt: skip


def _one_filter(deployment: Deployment, known: dict[str, Lifetime], node: Node, name: str) -> Iterator[Finding]:
    if name not in known:
        near = nearest(name, known)
        if near:  # otherwise a filter of the user's own
            yield FILTER_UNKNOWN.at(
                node.place, name, "Nova has no such filter", f"did you mean {near}?", Replacement(name, near)
            )
    elif not known[name].covers(deployment.release) and deployment.release != "newton":
        span = known[name]
        yield FILTER_GONE.at(
            node.place, name, f"Nova had it from {span.first.title()} to {span.last.title()}",
            "leave it out; Placement does its work since then",
        )  # fmt: skip


def _extra_specs(deployment: Deployment) -> Iterator[Finding]:
    filters = {name for _, value in deployment.filters for _, name in _names(value)}
    if not {"AggregateInstanceExtraSpecsFilter", "ComputeCapabilitiesFilter"} <= filters:
        return
    for place, key in _unscoped_keys(deployment):
        yield UNSCOPED_EXTRA_SPEC.at(
            place, key, "both AggregateInstanceExtraSpecsFilter and ComputeCapabilitiesFilter read keys without scope",
            f"aggregate_instance_extra_specs:{key}",
        )  # fmt: skip


def _unscoped_keys(deployment: Deployment) -> Iterator[tuple[Place, str]]:
    for template in deployment.files.templates:
        for node in template.walk():
            specs = node.get("extra_specs")
            for key, _ in specs.items() if specs else ():
                if ":" not in key.text and key.text not in ("get_param", "hide_hypervisor_id"):
                    yield key.place, key.text
    for command in deployment.files.commands:
        if command.runs("openstack", "flavor", "set") or command.runs("openstack", "flavor", "create"):
            for setting in command.options("--property"):
                spec = setting.partition("=")[0].strip("\"'")
                if ":" not in spec and spec != "hide_hypervisor_id":
                    yield command.place, spec
