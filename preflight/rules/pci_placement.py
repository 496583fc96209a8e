"""Cards in Placement, and entries that give too much: what each of Nova's services has to be told, and is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.entries import PciEntry
from preflight.finding import Finding
from preflight.nova_conf import CONTROL, Option
from preflight.words import words_of

CLASS_WITHOUT_PLACEMENT = rule("GP233")
ONCE_WITHOUT_PLACEMENT = rule("GP234")
EVERY_DEVICE = rule("GP235")
NOT_ALL_SERVICES = rule("GP236")
SEVERAL_IN_PLACEMENT = rule("GP240")
UNLIKE_NAMESAKES = rule("GP241")
RULES = (
    CLASS_WITHOUT_PLACEMENT,
    ONCE_WITHOUT_PLACEMENT,
    EVERY_DEVICE,
    NOT_ALL_SERVICES,
    SEVERAL_IN_PLACEMENT,
    UNLIKE_NAMESAKES,
)
REPORTS, USES = "pci/report_in_placement", "filter_scheduler/pci_in_placement"
ANY_ADDRESS = re.compile(r"[*:.]*")
IN_PLACEMENT_ALREADY = {"sunbeam"}
"""Deployers whose templates switch both options on."""


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    reports = [option for option in deployment.nova_options if option.name == REPORTS and option.is_true]
    uses = [option for option in deployment.nova_options if option.name == USES and option.is_true]
    for entry in deployment.whitelist:
        if _is_every_device(entry):
            yield EVERY_DEVICE.at(
                entry.node.location,
                ", ".join(f"{key}: {node.text}" for key, node in entry.fields.items()),
                "nothing in it tells the cards from disks, network cards and bridges",
                f"vendor_id and product_id, or an address, in {words_of(entry.scope.dialect).device_spec}",
            )
        asked_once = (entry.text("one_time_use") or "").lower() in ("true", "yes", "1", "on")
        if asked_once and entry.scope.dialect not in IN_PLACEMENT_ALREADY and not _covers(reports, {"compute"}):
            yield ONCE_WITHOUT_PLACEMENT.at(
                entry.fields["one_time_use"].location,
                "one_time_use: true",
                "the card is kept from a second use by its reservation in Placement",
                "[pci] report_in_placement = true in the same nova.conf",
            )
    yield from _classes(deployment, uses)
    yield from _all_services(deployment, uses)
    yield from _namesakes(deployment, uses)


def _namesakes(deployment: Deployment, uses: list[Option]) -> Iterator[Finding]:
    """Aliases of one name are one alias for several kinds of card, where Nova lets them be."""
    first: dict[tuple[str, Path], PciEntry] = {}
    for alias in deployment.aliases:
        name = (alias.text("name") or "").strip()
        place = (name, alias.node.location.path.parent)  # deployments that lie side by side have names of their own
        earlier = first.setdefault(place, alias)
        if not name or earlier is alias or not earlier.scope.services & alias.scope.services or _same(earlier, alias):
            continue
        for key, default in (("device_type", "type-PCI"), ("numa_policy", "legacy")):
            if (earlier.text(key) or default) != (alias.text(key) or default):
                yield UNLIKE_NAMESAKES.at(
                    alias.node.location,
                    f"name: {name}",
                    f"another alias of this name has {key} {earlier.text(key) or default}",
                    f"the same {key} in both, or two names",
                )
        if uses:
            yield SEVERAL_IN_PLACEMENT.at(
                alias.node.location,
                f"name: {name}",
                "with pci_in_placement an alias has one specification; another of this name asks for other cards",
                "one resource_class in the device_spec of both cards, and one alias for that class",
            )


def _same(one: PciEntry, other: PciEntry) -> bool:
    """Whether two entries say the same: the API's and the computes' copies of one alias do."""
    keys = (one.fields.keys() | other.fields.keys()) - {"name"}
    return all((one.id(key) or "").lower() == (other.id(key) or "").lower() for key in keys)


def _is_every_device(entry: PciEntry) -> bool:
    address = entry.fields.get("address")
    if address is not None and address.is_mapping:
        parts = [value.text for _, value in address.items()]
        return all(part in ("", "*", ".*") for part in parts) and _names_no_id(entry)
    has_address = address is not None and not ANY_ADDRESS.fullmatch(address.text)
    return not has_address and "devname" not in entry.fields and _names_no_id(entry)


def _names_no_id(entry: PciEntry) -> bool:
    return all(entry.text(key) in (None, "*") for key in ("vendor_id", "product_id"))


def _covers(options: list[Option], services: set[str]) -> bool:
    return services <= set().union(*(option.scope.services for option in options))


def _classes(deployment: Deployment, uses: list[Option]) -> Iterator[Finding]:
    """An alias that names only a class means nothing to a service that does not ask Placement."""
    knows_more = deployment.whitelist or any(option.name.startswith("filter_") for option in deployment.nova_options)
    for alias in deployment.aliases:
        by_class = "resource_class" in alias.fields and not {"vendor_id", "product_id"} <= alias.fields.keys()
        if not by_class or not knows_more or alias.scope.dialect in IN_PLACEMENT_ALREADY:
            continue
        missing = sorted(name for name in alias.scope.services if not _covers(uses, {name}))
        if missing:
            yield CLASS_WITHOUT_PLACEMENT.at(
                alias.node.location,
                f"name: {alias.text('name')}",
                f"pci_in_placement is not set for nova-{', nova-'.join(missing)}: there the alias needs both ids",
                "[filter_scheduler] pci_in_placement = true in the same nova.conf, or vendor_id and product_id",
            )


def _all_services(deployment: Deployment, uses: list[Option]) -> Iterator[Finding]:
    if not uses:
        return
    needed = deployment.named_services & CONTROL
    missing = sorted(name for name in needed if not _covers(uses, {name}))
    if missing:
        yield NOT_ALL_SERVICES.at(
            uses[0].location,
            "pci_in_placement = true",
            f"nova-{', nova-'.join(missing)} does not have it",
            f"[filter_scheduler] pci_in_placement = true for nova-{', nova-'.join(missing)} as well",
        )
