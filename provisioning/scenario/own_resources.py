"""The resources of one test and its connections. Every resource is in the ledger before it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cloud_file.cloud import Cloud
from provisioning.environment import Environment
from provisioning.hosts import Hosts
from provisioning.ledger import Ledger
from provisioning.scenario.cloud_views import CloudViews

NAME_MARK = "lc-"
"""Names of all resources of tests start with it, after the cloud file's prefix."""


@dataclass
class OwnResources:
    """Names and records what one test makes."""

    cloud: Cloud
    environment: Environment
    admin: Any
    tenant: Any
    views: CloudViews
    hosts: Hosts
    ledger: Ledger
    token: str
    """The test's own part of every name."""
    made: list[tuple[str, str]] = field(default_factory=list)
    """Kind and name of each resource, in the order in which they were made."""

    def new_name(self, kind: str) -> str:
        """The next name of this test; it is in the ledger already."""
        name = self.cloud.prefixed(f"{NAME_MARK}{self.token}-{kind}-{len(self.made)}")
        self.record(kind, name)
        return name

    def record(self, kind: str, name: str) -> None:
        """Write down what will be made next."""
        self.ledger.intend(kind, name)
        self.made.append((kind, name))
