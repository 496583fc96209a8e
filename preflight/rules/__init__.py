"""The rules, one file per concern. Each has `RULES` and `check(deployment)`."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from preflight.deployment import Deployment
from preflight.finding import Finding, Rule
from preflight.rules import (
    alias_scope,
    capacity,
    commands,
    declared_hosts,
    deploy_files,
    driver_and_toolkit,
    driver_installation,
    environments,
    heat_resources,
    heat_templates,
    host_setup,
    image_and_cuda,
    kernel_arguments,
    nova_options,
    passthrough,
    pci_entries,
    scheduler,
    script_files,
    script_order,
    security,
    security_of_files,
)

MODULES: tuple[ModuleType, ...] = (
    environments,
    deploy_files,
    passthrough,
    alias_scope,
    pci_entries,
    nova_options,
    declared_hosts,
    scheduler,
    kernel_arguments,
    host_setup,
    heat_templates,
    heat_resources,
    commands,
    script_files,
    script_order,
    image_and_cuda,
    driver_and_toolkit,
    driver_installation,
    capacity,
    security,
    security_of_files,
)


def catalogue() -> list[Rule]:
    """Every rule there is, by code."""
    return sorted((rule for module in MODULES for rule in module.RULES), key=lambda rule: rule.code)


def check(deployment: Deployment) -> Iterator[Finding]:
    """All findings of all rules."""
    for module in MODULES:
        yield from module.check(deployment)
