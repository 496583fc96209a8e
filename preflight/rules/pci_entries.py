"""One whitelist entry or alias by itself: fields and values that Nova refuses or misreads."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.entries import PciEntry
from preflight.finding import Finding
from preflight.releases import RELEASES
from preflight.spelling import nearest

UNKNOWN_FIELD = rule("GP216")
WRONG_VALUE = rule("GP217")
UNMANAGED = rule("GP218")
EXCLUSIVE = rule("GP219")
OVERLAPPING = rule("GP220")
LIST_IN_ONE = rule("GP221")
RULES = (UNKNOWN_FIELD, WRONG_VALUE, UNMANAGED, EXCLUSIVE, OVERLAPPING, LIST_IN_ONE)
WHITELIST_FIELDS = {
    "vendor_id",
    "product_id",
    "address",
    "devname",
    "physical_network",
    "trusted",
    "remote_managed",
    "managed",
    "resource_class",
    "traits",
    "live_migratable",
    "one_time_use",
    "card_serial_number",
}
ALIAS_FIELDS = {
    "name",
    "vendor_id",
    "product_id",
    "device_type",
    "capability_type",
    "numa_policy",
    "resource_class",
    "traits",
    "live_migratable",
}
DEVICE_TYPES = {"type-PCI", "type-PF", "type-VF"}
"""Nova's schema of aliases has no type-VDPA: such devices are given as ports only."""
NUMA_POLICIES = {"legacy": "queens", "preferred": "queens", "required": "queens", "socket": "wallaby"}
BOUND_TO_VFIO = re.compile(
    r"vfio[-_]pci\.ids|driver_override|driverctl|options\s+vfio[-_]pci|drivers/\S+/bind|sriov-manage"
)
"""What binds a card to vfio-pci, or a VF to its own driver, before libvirt is asked for it."""
FUNCTION = re.compile(r"\.(?P<function>[0-7])\Z")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for entry in deployment.whitelist:
        # Nova keeps what it does not know as a tag: a field of aliases does nothing here, and no harm
        yield from _fields(entry, WHITELIST_FIELDS | (ALIAS_FIELDS - {"name"}), "whitelist entry")
        yield from _managed(deployment, entry)
        if {"devname", "address"} <= entry.fields.keys():
            yield EXCLUSIVE.at(
                entry.fields["address"].location,
                entry.text("address") or "",
                "Nova takes one of the two",
                "leave devname out",
            )
    for alias in deployment.aliases:
        yield from _fields(alias, ALIAS_FIELDS, "alias")
        yield from _values(deployment, alias)
        if alias.is_list_in_text:
            yield LIST_IN_ONE.at(
                alias.node.location,
                alias.node.text,
                "each alias is a JSON text of its own",
                "a YAML list with one mapping for each alias",
            )
    yield from _overlaps(deployment)


def _fields(entry: PciEntry, known: set[str], what: str) -> Iterator[Finding]:
    for key, node in entry.fields.items():
        if key not in known:
            near = nearest(key, known) or next((name for name in sorted(known) if name.startswith(f"{key}_")), None)
            yield UNKNOWN_FIELD.at(
                node.location,
                f"{key}: {node.text}",
                f"a {what} has no field '{key}'",
                f"did you mean {near}?" if near else f"leave it out; fields are {', '.join(sorted(known))}",
            )


def _values(deployment: Deployment, alias: PciEntry) -> Iterator[Finding]:
    kind = alias.text("device_type")
    if kind is not None and kind not in DEVICE_TYPES:
        near = next(
            (
                name
                for name in sorted(DEVICE_TYPES)
                if name.lower().replace("-", "") == kind.lower().replace("-", "").replace("_", "")
            ),
            "type-PCI",
        )
        yield WRONG_VALUE.at(
            alias.fields["device_type"].location,
            f"device_type: {kind}",
            f"it is one of {', '.join(sorted(DEVICE_TYPES))}",
            f"device_type: {near}",
        )
    policy = alias.text("numa_policy")
    if policy is None:
        return
    since = NUMA_POLICIES.get(policy)
    location = alias.fields["numa_policy"].location
    if since is None:
        yield WRONG_VALUE.at(
            location, f"numa_policy: {policy}", f"it is one of {', '.join(NUMA_POLICIES)}", "numa_policy: preferred"
        )
    elif deployment.release and RELEASES.index(deployment.release) < RELEASES.index(since):
        yield WRONG_VALUE.at(location, f"numa_policy: {policy}", f"Nova has it from {since.title()} on", "leave it out")


def _managed(deployment: Deployment, entry: PciEntry) -> Iterator[Finding]:
    managed = (entry.text("managed") or "").lower()
    if not entry.is_gpu or managed not in ("no", "false") or _is_virtual(deployment, entry):
        return
    says_how_hosts_boot = deployment.kernel_arguments or deployment.files.scripts
    if says_how_hosts_boot and not any(BOUND_TO_VFIO.search(text) for text in deployment.files.texts.values()):
        yield UNMANAGED.at(
            entry.fields["managed"].location,
            f"managed: {managed}",
            "libvirt then leaves the driver alone, and no kernel argument or script binds the card to vfio-pci",
            'managed: "yes", or bind the card at boot (vfio-pci.ids=…)',
        )


def _is_virtual(deployment: Deployment, entry: PciEntry) -> bool:
    """Whether the entry is of virtual functions: their driver, NVIDIA's own, stays on them on purpose."""
    function = FUNCTION.search(entry.text("address") or "")
    if (function is not None and function["function"] != "0") or "live_migratable" in entry.fields:
        return True
    asked = [alias for alias in deployment.aliases if alias.id("product_id") == entry.id("product_id")]
    return any(alias.text("device_type") == "type-VF" for alias in asked)


def _overlaps(deployment: Deployment) -> Iterator[Finding]:
    gpus = [alias for alias in deployment.aliases if alias.is_gpu]
    wide = [alias for alias in gpus if alias.text("product_id") is None]
    for one, other in itertools.product(wide, gpus):
        if one.text("name") != other.text("name") and _same_scope(one, other) and _is_wider(one, other):
            yield OVERLAPPING.at(
                one.node.location,
                f"name: {one.text('name')}",
                f"it names fewer ids than '{other.text('name')}' and matches all of that one's cards",
                "name vendor_id and product_id in both, or set the other's cards apart by device_type",
            )


def _same_scope(one: PciEntry, other: PciEntry) -> bool:
    return one.role == other.role or None in (one.role, other.role)


def _is_wider(one: PciEntry, other: PciEntry) -> bool:
    keys = ("vendor_id", "product_id")
    mine = {key: text for key in keys if (text := one.id(key))}
    theirs = {key: text for key in keys if (text := other.id(key))}
    return mine.items() < theirs.items() and one.text("device_type") in (None, other.text("device_type"))
