"""The rules, one file per concern. Each has `RULES` and `check(deployment)`."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from provisioning.preflight.deployment import Deployment
from provisioning.preflight.finding import Finding, Rule
from provisioning.preflight.rules import (
    capacity,
    commands,
    environments,
    heat_templates,
    image_and_cuda,
    kernel_arguments,
    passthrough,
    scheduler,
    security,
)

MODULES: tuple[ModuleType, ...] = (
    environments,
    passthrough,
    scheduler,
    kernel_arguments,
    heat_templates,
    commands,
    image_and_cuda,
    capacity,
    security,
)


def catalogue() -> list[Rule]:
    """Every rule there is, by code."""
    return sorted((rule for module in MODULES for rule in module.RULES), key=lambda rule: rule.code)


def check(deployment: Deployment) -> Iterator[Finding]:
    """All findings of all rules."""
    for module in MODULES:
        yield from module.check(deployment)
