"""How the operators of each deployer call Nova's settings: data/deployers.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from preflight.releases import load_data


@dataclass(frozen=True)
class Words:
    """Names of settings, to be put into `write …` or `set …`."""

    device_spec: str
    alias: str
    alias_on_api: str
    alias_on_computes: str
    filters: str
    filters_by_default: bool
    """Whether PciPassthroughFilter is in force when nobody sets the list."""


@cache
def words_of(dialect: str) -> Words:
    """The words of a deployer; KeyError if there is no such deployer."""
    return Words(**load_data("deployers.yaml")[dialect])


def dialects() -> list[str]:
    """Every deployer that has words."""
    return sorted(load_data("deployers.yaml"))
