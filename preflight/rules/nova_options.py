"""Options of nova.conf: does the release read the name, is the value what Nova takes?"""

from __future__ import annotations

import json
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import ALIAS_OPTIONS, WHITELIST_OPTIONS, Deployment
from preflight.finding import Finding
from preflight.nova_conf import Option
from preflight.releases import Lifetime, load_data
from preflight.rules import data_plane, misspelt, pci_placement

UNREAD_OPTION = rule("GP225")
NEWER_OPTION = rule("GP226")
NOT_JSON = rule("GP227")
ALIAS_LIST = rule("GP228")
DEVNAME_IN_PLACEMENT = rule("GP229")
HALF_PLACEMENT = rule("GP230")
NO_ROOT_PORTS = rule("GP231")
RULES = (
    UNREAD_OPTION,
    NEWER_OPTION,
    NOT_JSON,
    ALIAS_LIST,
    DEVNAME_IN_PLACEMENT,
    HALF_PLACEMENT,
    NO_ROOT_PORTS,
    *pci_placement.RULES,
    *misspelt.RULES,
    *data_plane.RULES,
)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for option in deployment.nova_options:
        yield from _name(deployment, option)
        if option.name in ALIAS_OPTIONS | WHITELIST_OPTIONS:
            yield from _value(option)
    yield from _placement(deployment)
    yield from pci_placement.check(deployment)
    yield from misspelt.check(deployment)
    yield from data_plane.check(deployment)
    for _, name, value in deployment.role_parameters:
        if name.text == "NovaLibvirtNumPciePorts" and value.text == "0" and deployment.gives_gpus:
            yield NO_ROOT_PORTS.at(
                value.location, f"{name.text}: 0", "libvirt then makes one port only", f"{name.text}: 16"
            )
    for option in deployment.nova_options:
        if option.name == "libvirt/num_pcie_ports" and option.value == "0" and deployment.gives_gpus:
            yield NO_ROOT_PORTS.at(
                option.location, "num_pcie_ports = 0", "libvirt then makes one port only", "num_pcie_ports = 16"
            )


def _name(deployment: Deployment, option: Option) -> Iterator[Finding]:
    entry = load_data("nova_options.yaml").get(option.name)
    if entry is None:
        return
    if "first" in entry:
        if deployment.release is not None and not deployment.is_at_least(entry["first"]):
            yield NEWER_OPTION.at(
                option.location, option.name, f"Nova has it from {entry['first'].title()} on", entry["instead"]
            )
    elif entry["span"] is None:
        yield UNREAD_OPTION.at(
            option.location, option.name, "Nova reads no such option in this section", entry["instead"]
        )
    elif not Lifetime(*entry["span"]).covers(deployment.release):
        yield UNREAD_OPTION.at(
            option.location,
            option.name,
            f"Nova of {str(deployment.release).title()} does not read it yet",
            entry["instead"],
        )


def _value(option: Option) -> Iterator[Finding]:
    if not option.value or option.is_template or option.value.strip("[]{} ") == "":
        return
    try:
        value = json.loads(option.value)
        if option.flaw and option.name in ALIAS_OPTIONS | WHITELIST_OPTIONS:
            raise ValueError(option.flaw)
    except (ValueError, RecursionError) as error:
        yield NOT_JSON.at(
            option.place.at(0) if option.place else option.location,
            option.value,
            option.flaw or f"not JSON: {error}",
            _as_json(option),
        )
        return
    makes_lines = option.scope.dialect == "juju"  # the charms write a line for each element
    if isinstance(value, list) and option.name in ALIAS_OPTIONS and not makes_lines:
        yield ALIAS_LIST.at(
            option.location,
            option.value,
            "alias may be given several times, each with one JSON object",
            "one `alias = {…}` line for each",
        )


def _as_json(option: Option) -> str:
    if option.remedy:
        return option.remedy
    if option.node is not None:
        return "one JSON text for each card, in quotes: '{…}'"
    return "keys and values in double quotes, no comma at the end"


def _placement(deployment: Deployment) -> Iterator[Finding]:
    options = deployment.nova_options
    reported = [option for option in options if option.name == "pci/report_in_placement" and option.is_true]
    for entry in deployment.whitelist:
        if "devname" in entry.fields and reported:
            yield DEVNAME_IN_PLACEMENT.at(
                entry.fields["devname"].location,
                f"devname: {entry.text('devname')}",
                "Placement tracks cards by address, a device name is refused",
                "name vendor_id and product_id, or address",
            )
    has_computes = bool(deployment.whitelist) or not deployment.named_services
    for option in options:
        if option.name == "filter_scheduler/pci_in_placement" and option.is_true and not reported and has_computes:
            yield HALF_PLACEMENT.at(
                option.location,
                "pci_in_placement = true",
                "no nova-compute reports its cards there; the scheduler, API and conductor need the option, too",
                "first [pci] report_in_placement = true on every compute, then this one in API, scheduler and "
                "conductor",
            )
