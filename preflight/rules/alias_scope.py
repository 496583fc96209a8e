"""Aliases and whitelist together: does every role that needs an alias have it, and does an entry allow it?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import ALIAS_OPTIONS, WHITELIST_OPTIONS, Deployment
from preflight.entries import PciEntry
from preflight.finding import Finding
from preflight.nova_conf import COMPUTE, CONTROL
from preflight.words import words_of

ALIAS_NOT_ON_COMPUTES = rule("GP204")
ALIAS_NOT_ON_API = rule("GP205")
ALIAS_WITHOUT_WHITELIST = rule("GP206")
WHITELIST_WITHOUT_ALIAS = rule("GP207")
RULES = (ALIAS_NOT_ON_COMPUTES, ALIAS_NOT_ON_API, ALIAS_WITHOUT_WHITELIST, WHITELIST_WITHOUT_ALIAS)
BY_NAME = "nova::config::nova_config: {DEFAULT/pci_alias: {value: '{…}'}} for the compute role (NovaComputeExtraConfig)"
STANDARD_CLASSES = {"PGPU", "VGPU", "PCI_DEVICE", "FPGA"}
"""Of those that Placement knows itself, the ones that somebody may give to a card."""
CONTROL_ROLES = re.compile(r"controller|control", re.I)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    yield from _alias_scope(deployment)
    yield from _alias_and_whitelist(deployment)


def _alias_scope(deployment: Deployment) -> Iterator[Finding]:
    gpu_aliases = [alias for alias in deployment.aliases if _is_of_cards(deployment, alias)]
    yield from _alias_roles(deployment, gpu_aliases)
    services_of: dict[str | None, frozenset[str]] = defaultdict(frozenset)
    for alias in gpu_aliases:
        services_of[alias.text("name")] |= alias.scope.services
    for alias in gpu_aliases:
        services = services_of[alias.text("name")]
        named, dialect = alias.scope.services, alias.scope.dialect
        known = CONTROL | COMPUTE if dialect == "tripleo" else deployment.named_services
        by_role = dialect != "tripleo" or alias.role is not None
        if "compute" in known - services and named <= CONTROL and named and by_role:
            yield ALIAS_NOT_ON_COMPUTES.at(
                alias.node.location,
                f"name: {alias.text('name')}",
                "each nova-compute needs the alias too, for every move operation",
                f"set {BY_NAME if deployment.release == 'newton' else words_of(dialect).alias_on_computes}",
            )
        elif "api" in known - services and named <= COMPUTE and named:
            yield ALIAS_NOT_ON_API.at(
                alias.node.location,
                f"name: {alias.text('name')}",
                "nova-api reads the flavor's alias",
                f"set {words_of(dialect).alias_on_api}",
            )


def _is_of_cards(deployment: Deployment, alias: PciEntry) -> bool:
    """Whether the alias means NVIDIA's cards, by its ids or by a class where a whitelist entry gives cards away."""
    by_class = "vendor_id" not in alias.fields and "resource_class" in alias.fields
    return alias.is_gpu or (by_class and any(entry.is_gpu for entry in deployment.whitelist))


def _alias_roles(deployment: Deployment, gpu_aliases: list[PciEntry]) -> Iterator[Finding]:
    """Where aliases are set role by role, each role with cards of its own needs them."""
    set_for = {alias.role for alias in gpu_aliases if alias.hiera_key == "nova::pci::aliases"}
    computes = {role for role in set_for if role and not CONTROL_ROLES.search(role)}
    if None in set_for or not computes:
        return
    for entry in deployment.whitelist:
        if entry.is_gpu and entry.role and entry.role not in set_for:
            yield ALIAS_NOT_ON_COMPUTES.at(
                entry.node.location,
                f"{entry.role}Parameters",
                f"the alias is set for {', '.join(sorted(computes))}, not for {entry.role}",
                f"set nova::pci::aliases in {entry.role}ExtraConfig, too",
            )


def _alias_and_whitelist(deployment: Deployment) -> Iterator[Finding]:
    if not deployment.whitelist and not deployment.deploys:
        return  # half of the setup: the whitelist may stand elsewhere
    if deployment.has_templates(WHITELIST_OPTIONS):
        return
    allowed = [entry for entry in deployment.whitelist if entry.is_gpu or entry.text("vendor_id") in (None, "*")]
    gpu_aliases = [alias for alias in deployment.aliases if _is_of_cards(deployment, alias)]
    for alias in gpu_aliases:
        if not any(_allows(entry, alias) for entry in allowed):
            setting = words_of(allowed[0].scope.dialect if allowed else alias.scope.dialect).device_spec
            yield ALIAS_WITHOUT_WHITELIST.at(
                alias.node.location,
                f"{alias.text('name')}: {_asked(alias)}",
                f"no entry of {setting} allows this device"
                + (f"; whitelisted is {', '.join(_id(entry) for entry in allowed)}" if allowed else ""),
                f"give {setting} and the alias the same vendor_id and product_id"
                + (", and the same resource_class" if "resource_class" in alias.fields else ""),
            )
    whitelisted = [entry for entry in deployment.whitelist if entry.is_gpu]
    whole = bool(deployment.deploys or deployment.flavor_uses)
    unset = not deployment.aliases and not deployment.has_templates(ALIAS_OPTIONS)
    if whitelisted and whole and unset and not _uses_placement(deployment):
        entry = whitelisted[0]
        yield WHITELIST_WITHOUT_ALIAS.at(
            entry.node.location,
            _id(entry),
            "no environment file sets an alias" if entry.scope.dialect == "tripleo" else "no file sets an alias",
            f"set {words_of(entry.scope.dialect).alias} for controllers and computes",
        )


def _uses_placement(deployment: Deployment) -> bool:
    return any("resource_class" in entry.fields for entry in deployment.whitelist)


def _allows(entry: PciEntry, alias: PciEntry) -> bool:
    asked = alias.text("resource_class")
    if asked is not None and normal_class(asked) != _class(entry):
        return False
    return all(
        entry.id(field) in (None, "*", alias.id(field)) or field not in entry.fields
        for field in ("vendor_id", "product_id")
        if field in alias.fields
    )


def _id(entry: PciEntry) -> str:
    return f"{entry.id('vendor_id')}:{entry.id('product_id') or '*'}"


def _asked(alias: PciEntry) -> str:
    asked = alias.text("resource_class")
    return asked if asked is not None else f"{alias.text('vendor_id')}:{alias.text('product_id')}"


def normal_class(text: str) -> str:
    """A resource class as Nova makes it of what is written: CUSTOM_ and capitals."""
    name = re.sub(r"[^A-Z0-9_]", "_", text.upper())
    return name if name.startswith("CUSTOM_") or name in STANDARD_CLASSES else f"CUSTOM_{name}"


def _class(entry: PciEntry) -> str:
    """The resource class of the cards that an entry allows."""
    written = entry.text("resource_class")
    ids = f"PCI_{entry.id('vendor_id')}_{entry.id('product_id')}"
    return normal_class(written if written is not None else ids)
