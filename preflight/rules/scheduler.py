"""Scheduler filters: is the one that knows PCI devices there, and does the release have all that are named?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import FILTER_OPTIONS, Deployment
from preflight.filters import FilterList, NamedFilter
from preflight.finding import Finding, Location, Replacement
from preflight.releases import RELEASES, Lifetime, load_data
from preflight.spelling import nearest
from preflight.words import words_of

NO_PCI_FILTER = rule("GP301")
FILTER_UNKNOWN = rule("GP302")
FILTER_GONE = rule("GP303")
FILTERS_NOT_A_LIST = rule("GP304")
FILTERS_UNSET = rule("GP305")
UNSCOPED_EXTRA_SPEC = rule("GP306")
NO_COMPUTE_FILTER = rule("GP307")
RULES = (
    NO_PCI_FILTER,
    FILTER_UNKNOWN,
    FILTER_GONE,
    FILTERS_NOT_A_LIST,
    FILTERS_UNSET,
    UNSCOPED_EXTRA_SPEC,
    NO_COMPUTE_FILTER,
)
PCI_FILTER = "PciPassthroughFilter"
COMPUTE_FILTER = "ComputeFilter"
SHORT_NAMES = re.compile(r"p(?:ci|assthr)\w*filter|pci\w*", re.I)
"""Names that can mean only that filter, further off than a slip of the finger."""


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    known = {name: Lifetime(*span) for name, span in load_data("filters.yaml")["filters"].items()}
    for listed in deployment.filter_lists:
        if listed.text and " " in listed.text.strip() and "," not in listed.text:
            yield FILTERS_NOT_A_LIST.at(
                listed.value_location, listed.text, "spaces do not part filters", _how_a_list_is_written(listed)
            )
            continue
        for item in listed.filters:
            yield from _one_filter(deployment, known, item, listed)
        if deployment.gives_gpus and listed.filters and _lacks_the_filter(deployment, listed):
            yield NO_PCI_FILTER.at(
                listed.location,
                listed.setting,
                "only this filter keeps GPU instances from hosts without a free card",
                f"add PciPassthroughFilter to the list: {words_of(listed.scope.dialect).filters}",
            )
        if listed.filters and _replaces_all(listed):
            yield NO_COMPUTE_FILTER.at(
                listed.location,
                listed.setting,
                "the list takes the place of Nova's own, so that nothing keeps instances from hosts that are down",
                f"name Nova's own filters, too: {words_of(listed.scope.dialect).filters}",
            )
    yield from _unset(deployment)
    yield from _extra_specs(deployment)


def _replaces_all(listed: FilterList) -> bool:
    """Whether the scheduler would have this list and no ComputeFilter, which is in each release's own."""
    added = listed.scope.dialect == "openstack-ansible"  # its two variables are put together
    return "scheduler" in listed.scope.services and not added and COMPUTE_FILTER not in listed.names


def _how_a_list_is_written(listed: FilterList) -> str:
    return "write a YAML list" if listed.scope.dialect == "tripleo" else "part them by commas"


def _lacks_the_filter(deployment: Deployment, listed: FilterList) -> bool:
    """Whether the scheduler ends up without the filter: a list for it alone counts more than one for all services."""
    if PCI_FILTER in listed.names or "scheduler" not in listed.scope.services:
        return False
    added = listed.scope.dialect == "openstack-ansible"  # its two variables are put together
    return not any(
        PCI_FILTER in other.names and (added or other.scope.services < listed.scope.services)
        for other in deployment.filter_lists
        if "scheduler" in other.scope.services
    )


def _unset(deployment: Deployment) -> Iterator[Finding]:
    """Cards are given, the scheduler's settings are among our files, and none of them names filters."""
    read_by_scheduler = [listed for listed in deployment.filter_lists if "scheduler" in listed.scope.services]
    if not deployment.gives_gpus or read_by_scheduler or not deployment.knows_the_scheduler:
        return
    if deployment.has_templates(FILTER_OPTIONS):
        return
    entry = (deployment.whitelist or deployment.aliases)[0]
    words = words_of(entry.scope.dialect)
    if not words.filters_by_default:
        elsewhere = "; a list that only other services read does not help" if deployment.filter_lists else ""
        yield FILTERS_UNSET.at(
            entry.node.location,
            "",
            f"{words.filters}: nothing sets it{elsewhere}",
            "set the list of your release with PciPassthroughFilter in it"
            if entry.scope.dialect == "tripleo"
            else f"PciPassthroughFilter beside the release's own filters: {words.filters}",
        )


def _one_filter(
    deployment: Deployment, known: dict[str, Lifetime], item: NamedFilter, listed: FilterList
) -> Iterator[Finding]:
    name = item.name
    if name not in known:
        near = nearest(name, known) or (PCI_FILTER if SHORT_NAMES.fullmatch(name) else None)
        if near:  # otherwise a filter of the user's own
            yield FILTER_UNKNOWN.at(
                item.location,
                name,
                "Nova has no such filter",
                f"did you mean {near}?",
                Replacement(name, near) if item.is_alone and near not in listed.names else None,
            )
        return
    oldest, span = deployment.oldest_release, known[name]
    gone = oldest is not None and RELEASES.index(span.last) < RELEASES.index(oldest)
    if gone or (deployment.release != "newton" and not span.covers(deployment.release)):
        yield FILTER_GONE.at(
            item.location,
            name,
            f"Nova had it from {span.first.title()} to {span.last.title()}",
            "leave it out; Placement does its work since then",
        )


def _extra_specs(deployment: Deployment) -> Iterator[Finding]:
    filters = {name for listed in deployment.filter_lists for name in listed.names}
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
        for node in template.walk() if "extra_specs" in deployment.files.texts[template.path] else ():
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
