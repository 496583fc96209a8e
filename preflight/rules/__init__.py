"""The rules, one file per concern, each with `RULES` and `check(deployment)`; a long one hands a part to a second file.

MODULES are the checks of the suite `preflight`: their names are ids in the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from preflight.deployment import Deployment
from preflight.finding import Finding, Rule
from preflight.rules import (
    capacity,
    commands,
    declared_hosts,
    deploy_files,
    driver_and_toolkit,
    environments,
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
    pci_entries,
    nova_options,
    declared_hosts,
    scheduler,
    kernel_arguments,
    host_setup,
    heat_templates,
    commands,
    script_files,
    script_order,
    image_and_cuda,
    driver_and_toolkit,
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
