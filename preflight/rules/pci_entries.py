"""One whitelist entry or alias by itself: fields and values that Nova refuses or misreads."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from preflight.deployment import Deployment, PciEntry
from preflight.finding import Finding, Rule, Severity
from preflight.releases import RELEASES
from preflight.spelling import nearest

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
CONFIG = "https://docs.openstack.org/nova/latest/configuration/config.html#pci"
UNKNOWN_FIELD = Rule("GP216", "A field that whitelist entries or aliases do not have", Severity.ERROR, "nova-api answers 500 to GPU flavors ('Invalid PCI alias definition'), or the whitelist allows nothing", CONFIG)  # fmt: skip
WRONG_VALUE = Rule("GP217", "A value that the field cannot have", Severity.ERROR, "at the first GPU instance: 'Invalid PCI alias definition'", CONFIG)  # fmt: skip
UNMANAGED = Rule("GP218", "managed: no for a GPU that nothing binds to vfio-pci", Severity.ERROR, "at the first GPU instance: libvirt says 'Unmanaged PCI device … must be manually detached from the host'", CONFIG)  # fmt: skip
EXCLUSIVE = Rule("GP219", "devname and address in one entry", Severity.ERROR, "nova-compute does not start: 'devname and address are mutually exclusive'", CONFIG)  # fmt: skip
OVERLAPPING = Rule("GP220", "An alias that also takes another alias's cards", Severity.WARNING, "now and then: flavors of the narrower alias find their cards taken, 'No valid host was found'", NOVA_PCI)  # fmt: skip
LIST_IN_ONE = Rule("GP221", "Several aliases in one JSON text", Severity.ERROR, "nova-api answers 500 to GPU flavors: 'Invalid PCI alias definition'", CONFIG)  # fmt: skip
RULES = (UNKNOWN_FIELD, WRONG_VALUE, UNMANAGED, EXCLUSIVE, OVERLAPPING, LIST_IN_ONE)
WHITELIST_FIELDS = {"vendor_id", "product_id", "address", "devname", "physical_network", "trusted", "remote_managed", "managed", "resource_class", "traits", "live_migratable", "one_time_use", "card_serial_number"}  # fmt: skip
ALIAS_FIELDS = {"name", "vendor_id", "product_id", "device_type", "capability_type", "numa_policy", "resource_class", "traits", "live_migratable"}  # fmt: skip
DEVICE_TYPES = {"type-PCI", "type-PF", "type-VF", "type-VDPA"}
NUMA_POLICIES = {"legacy": "queens", "preferred": "queens", "required": "queens", "socket": "wallaby"}
BOUND_TO_VFIO = re.compile(r"vfio-pci\.ids|driver_override|driverctl|options\s+vfio-pci")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for entry in deployment.whitelist:
        yield from _fields(entry, WHITELIST_FIELDS, "whitelist entry")
        yield from _managed(deployment, entry)
        if {"devname", "address"} <= entry.fields.keys():
            yield EXCLUSIVE.at(
                entry.fields["address"].place,
                entry.text("address") or "",
                "Nova takes one of the two",
                "leave devname out",
            )
    for alias in deployment.aliases:
        yield from _fields(alias, ALIAS_FIELDS, "alias")
        yield from _values(deployment, alias)
        if alias.is_list_in_text:
            yield LIST_IN_ONE.at(alias.node.place, alias.node.text, "each alias is a JSON text of its own", "a YAML list with one mapping for each alias")  # fmt: skip
    yield from _overlaps(deployment)


def _fields(entry: PciEntry, known: set[str], what: str) -> Iterator[Finding]:
    for key, node in entry.fields.items():
        if key not in known:
            near = nearest(key, known) or next((name for name in sorted(known) if name.startswith(f"{key}_")), None)
            yield UNKNOWN_FIELD.at(
                node.place, f"{key}: {node.text}", f"a {what} has no field '{key}'",
                f"did you mean {near}?" if near else f"leave it out; fields are {', '.join(sorted(known))}",
            )  # fmt: skip


def _values(deployment: Deployment, alias: PciEntry) -> Iterator[Finding]:
    kind = alias.text("device_type")
    if kind is not None and kind not in DEVICE_TYPES:
        near = next((name for name in sorted(DEVICE_TYPES) if name.lower().replace("-", "") == kind.lower().replace("-", "").replace("_", "")), "type-PCI")  # fmt: skip
        yield WRONG_VALUE.at(alias.fields["device_type"].place, f"device_type: {kind}", f"it is one of {', '.join(sorted(DEVICE_TYPES))}", f"device_type: {near}")  # fmt: skip
    policy = alias.text("numa_policy")
    if policy is None:
        return
    since = NUMA_POLICIES.get(policy)
    place = alias.fields["numa_policy"].place
    if since is None:
        yield WRONG_VALUE.at(place, f"numa_policy: {policy}", f"it is one of {', '.join(NUMA_POLICIES)}", "numa_policy: preferred")  # fmt: skip
    elif deployment.release and RELEASES.index(deployment.release) < RELEASES.index(since):
        yield WRONG_VALUE.at(place, f"numa_policy: {policy}", f"Nova has it from {since.title()} on", "leave it out")


def _managed(deployment: Deployment, entry: PciEntry) -> Iterator[Finding]:
    managed = (entry.text("managed") or "").lower()
    if not entry.is_gpu or managed not in ("no", "false"):
        return
    texts = [node.text for _, node in deployment.kernel_arguments] + [
        script.text for script in deployment.files.scripts
    ]
    if not any(BOUND_TO_VFIO.search(text) for text in texts):
        yield UNMANAGED.at(
            entry.fields["managed"].place, f"managed: {managed}",
            "libvirt then leaves the driver alone, and no kernel argument or script binds the card to vfio-pci",
            'managed: "yes", or bind the card at boot (vfio-pci.ids=…)',
        )  # fmt: skip


def _overlaps(deployment: Deployment) -> Iterator[Finding]:
    gpus = [alias for alias in deployment.aliases if alias.is_gpu]
    wide = [alias for alias in gpus if alias.text("product_id") is None]
    for one, other in itertools.product(wide, gpus):
        if one.text("name") != other.text("name") and _same_scope(one, other) and _is_wider(one, other):
            yield OVERLAPPING.at(
                one.node.place, f"name: {one.text('name')}",
                f"it names fewer ids than '{other.text('name')}' and matches all of that one's cards",
                "name vendor_id and product_id in both, or set the other's cards apart by device_type",
            )  # fmt: skip


def _same_scope(one: PciEntry, other: PciEntry) -> bool:
    return one.role == other.role or None in (one.role, other.role)


def _is_wider(one: PciEntry, other: PciEntry) -> bool:
    keys = ("vendor_id", "product_id")
    mine = {key: text for key in keys if (text := one.text(key))}
    theirs = {key: text for key in keys if (text := other.text(key))}
    return mine.items() < theirs.items() and one.text("device_type") in (None, other.text("device_type"))
