"""Aliases and whitelist together: does every role that needs an alias have it, and does an entry allow it?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.entries import PciEntry
from preflight.finding import Finding

ALIAS_NOT_ON_COMPUTES = rule("GP204")
ALIAS_NOT_ON_API = rule("GP205")
ALIAS_WITHOUT_WHITELIST = rule("GP206")
WHITELIST_WITHOUT_ALIAS = rule("GP207")
RULES = (ALIAS_NOT_ON_COMPUTES, ALIAS_NOT_ON_API, ALIAS_WITHOUT_WHITELIST, WHITELIST_WITHOUT_ALIAS)
CONTROL_ROLES = re.compile(r"controller|control", re.I)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    yield from _alias_scope(deployment)
    yield from _alias_and_whitelist(deployment)


def _alias_scope(deployment: Deployment) -> Iterator[Finding]:
    gpu_aliases = [alias for alias in deployment.aliases if alias.is_gpu]
    yield from _alias_roles(deployment, gpu_aliases)
    everywhere = {alias.text("name") for alias in gpu_aliases if alias.role is None}
    control = _names(alias for alias in gpu_aliases if alias.role and CONTROL_ROLES.search(alias.role))
    # nova::api is a class of the API's host: its key has no effect on a compute
    computes = _names(
        alias
        for alias in gpu_aliases
        if alias.role and not CONTROL_ROLES.search(alias.role) and alias.hiera_key == "nova::pci::aliases"
    )
    shared = _names(alias for alias in gpu_aliases if alias.role is None and alias.hiera_key == "nova::pci::aliases")
    for alias in gpu_aliases:
        name = alias.text("name")
        if name in control and name not in computes | shared and alias.role:
            yield ALIAS_NOT_ON_COMPUTES.at(
                alias.node.location,
                f"name: {name}",
                "each nova-compute needs the alias too, for every move operation",
                "set nova::pci::aliases for the compute role as well (ComputeExtraConfig), or for all in ExtraConfig",
            )
        elif name in computes and name not in control | everywhere:
            yield ALIAS_NOT_ON_API.at(
                alias.node.location,
                f"name: {name}",
                "nova-api reads the flavor's alias",
                "set nova::pci::aliases for the controllers as well (ControllerExtraConfig)",
            )


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


def _names(aliases: Iterator[PciEntry] | list[PciEntry]) -> set[str | None]:
    return {alias.text("name") for alias in aliases}


def _alias_and_whitelist(deployment: Deployment) -> Iterator[Finding]:
    if not deployment.whitelist and not deployment.deploys:
        return  # half of the setup: the whitelist may stand elsewhere
    allowed = [entry for entry in deployment.whitelist if entry.is_gpu or "vendor_id" not in entry.fields]
    gpu_aliases = [alias for alias in deployment.aliases if alias.is_gpu]
    for alias in gpu_aliases:
        if not any(_allows(entry, alias) for entry in allowed):
            yield ALIAS_WITHOUT_WHITELIST.at(
                alias.node.location,
                f"{alias.text('name')}: {alias.text('vendor_id')}:{alias.text('product_id')}",
                "no entry of NovaPCIPassthrough allows this device"
                + (f"; whitelisted is {', '.join(_id(entry) for entry in allowed)}" if allowed else ""),
                "give NovaPCIPassthrough and the alias the same vendor_id and product_id",
            )
    whitelisted = [entry for entry in deployment.whitelist if entry.is_gpu]
    whole = bool(deployment.deploys or deployment.flavor_uses)
    if whitelisted and whole and not deployment.aliases and not _uses_placement(deployment):
        entry = whitelisted[0]
        yield WHITELIST_WITHOUT_ALIAS.at(
            entry.node.location,
            _id(entry),
            "no environment file sets an alias",
            "set nova::pci::aliases for controllers and computes",
        )


def _uses_placement(deployment: Deployment) -> bool:
    return any("resource_class" in entry.fields for entry in deployment.whitelist)


def _allows(entry: PciEntry, alias: PciEntry) -> bool:
    return all(
        entry.id(field) in (None, "*", alias.id(field)) or field not in entry.fields
        for field in ("vendor_id", "product_id")
        if field in alias.fields
    )


def _id(entry: PciEntry) -> str:
    return f"{entry.id('vendor_id')}:{entry.id('product_id') or '*'}"
