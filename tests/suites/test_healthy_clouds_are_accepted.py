"""Healthy clouds that show less than others, or are of another make: no check of the lifecycle rejects one of them."""

from __future__ import annotations

import pytest
from deployment import Deployment
from model_cloud import ModelCloud
from proving import judge
from suite_checks import checks_of

CHECKS = tuple(sorted(checks_of("lifecycle", "tenants") - {"lifecycle.reconciliation.entries"}))
"""All but the one that reads nova.conf of a host."""
ASKS_PLACEMENT = "lifecycle.scheduling.full_host"
"""It cannot be measured at all without Placement."""


class WithoutSysfs(ModelCloud):
    def shows(self, side: str) -> bool:
        return side != "sysfs"


class WithoutVirsh(ModelCloud):
    def shows(self, side: str) -> bool:
        return side != "virsh"


class WithoutDatabase(ModelCloud):
    def shows(self, side: str) -> bool:
        return side != "mysql"


class WithoutAnyHost(ModelCloud):
    def shows(self, side: str) -> bool:
        return side == "placement"


class WithoutPlacement(ModelCloud):
    def shows(self, side: str) -> bool:
        return side != "placement"


class WithoutNumaNodes(ModelCloud):
    """Firmware of many servers with one socket tells none: numa_node is -1."""

    cards_on_nodes = (None, None)


class WithOneNode(ModelCloud):
    cards_on_nodes = (0, 0)


class OfOcata(ModelCloud):
    microversion = (2, 42)


@pytest.mark.parametrize(
    "cloud",
    [
        WithoutSysfs,
        WithoutVirsh,
        WithoutDatabase,
        WithoutAnyHost,
        WithoutPlacement,
        WithoutNumaNodes,
        WithOneNode,
        OfOcata,
    ],
)
def test_no_check_rejects_it(cloud: type[ModelCloud]) -> None:
    """What cannot be seen is not verified, and nothing that could not be measured looks like a mistake of the cloud."""
    checks = [check for check in CHECKS if cloud().shows("placement") or check != ASKS_PLACEMENT]
    found = judge(cloud(), *checks)

    assert {item.check for item in found} == set(checks)
    assert [item for item in found if item.verdict not in ("passed", "not verified")] == []


def test_a_deployed_server_in_maintenance_is_accepted() -> None:
    """Ironic sets it when a BMC does not answer for a while: the overcloud does not mind."""

    class WithASilentBmc(Deployment):
        def nodes(self) -> list[dict[str, object]]:
            return [row | {"Maintenance": True} for row in super().nodes()]

    (found,) = judge(WithASilentBmc(), "undercloud.nodes.available")

    assert found.verdict == "passed", found
