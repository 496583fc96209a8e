"""A tenant does everything without administrator's rights, and nobody else's cards or instances are within reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lifecycle_fixtures import OtherTenant
from openstack import exceptions as sdk

from judging.verdicts import require, require_refused, require_unchanged
from probes.references import NVIDIA_VENDOR_ID
from provisioning.openstack import instances
from provisioning.scenario.cards import Cards
from provisioning.scenario.scenario import Scenario

POLICY = "https://docs.openstack.org/nova/latest/configuration/policy.html"
NEUTRON = "https://docs.openstack.org/neutron/latest/configuration/policy.html"


def _refused(call: Callable[[], Any]) -> str:
    """The refusal's HTTP status and text; "" when the call went through."""
    try:
        call()
    except sdk.HttpException as error:
        return f"{error.status_code} {error}"
    return ""


@pytest.mark.check("tenants.no_admin", rests_on=("lifecycle.claim.exact",), source=POLICY, api=True)
def test_the_tenants_user_is_no_administrator(scenario: Scenario, cards: Cards) -> None:
    """The user that makes and changes GPU instances has no administrator's role: all these tests run as that user."""
    listed = _refused(lambda: list(scenario.tenant.compute.hypervisors(details=True)))

    require_refused(
        listed.startswith("403"),
        listed,
        "a list of hypervisors for the tenant's user",
        cause="tenant-is-administrator",
    )


@pytest.mark.check("tenants.other.list", rests_on=("lifecycle.claim.exact",), source=POLICY, api=True)
def test_another_tenant_does_not_see_the_instance(scenario: Scenario, cards: Cards, other_tenant: OtherTenant) -> None:
    """In another tenant's list the instance is not there, not even its name."""
    cards.one()
    server = scenario.request(scenario.flavor(1))
    instances.wait_for_status(scenario.tenant, server, "ACTIVE")
    seen = [found.id for found in other_tenant.connection.compute.servers()]

    require(
        server not in seen,
        "instance-seen-by-another-tenant",
        f"the instance {server} is in another tenant's list",
    )


@pytest.mark.parametrize("operation", ["get_server", "get_server_console_output", "reboot_server", "delete_server"])
@pytest.mark.check("tenants.other.reach", rests_on=("tenants.other.list",), source=POLICY, api=True)
def test_another_tenant_cannot_reach_the_instance(
    scenario: Scenario, cards: Cards, other_tenant: OtherTenant, operation: str
) -> None:
    """With its id another tenant can neither read it nor its console, nor reboot or delete it: it does not exist."""
    cards.none()
    server = scenario.server(scenario.flavor(0))
    options: dict[str, dict[str, Any]] = {
        "reboot_server": {"reboot_type": "HARD"},
        "delete_server": {"ignore_missing": False},
    }
    call = getattr(other_tenant.connection.compute, operation)
    refusal = _refused(lambda: call(server, **options.get(operation, {})))

    require_refused(
        refusal.startswith("404"),
        refusal,
        f"{operation} by another tenant",
        cause="instance-reached-by-another-tenant",
    )
    require_unchanged("ACTIVE", scenario.status(server), "its status", f"after {operation} by another tenant")


@pytest.mark.check("tenants.other.flavor", source=POLICY, api=True)
def test_another_tenant_cannot_use_the_gpu_flavor(scenario: Scenario, cards: Cards, other_tenant: OtherTenant) -> None:
    """A private flavor with an alias is neither listed nor usable for another tenant."""
    flavor = scenario.flavor(1)
    listed = [found.id for found in other_tenant.connection.compute.flavors()]
    refusal = _refused(
        lambda: other_tenant.connection.compute.create_server(
            name="gpuacc-not-made", flavor_id=flavor, image_id=scenario.environment.image_id, networks="none"
        )
    )

    require(
        flavor not in listed,
        "flavor-for-everybody",
        "another tenant lists the GPU flavor",
    )
    require_refused(
        refusal.startswith(("400", "403", "404")) and "flavor" in refusal.lower(),  # and not for the image alone
        refusal,
        "an instance of another tenant with the GPU flavor",
        cause="flavor-for-everybody",
    )


@pytest.mark.parametrize("what", ["hypervisors", "services", "migrations", "all_projects"])
@pytest.mark.check("tenants.other.hosts", source=POLICY, api=True)
def test_a_tenant_sees_no_hosts(other_tenant: OtherTenant, what: str) -> None:
    """Hypervisors, services, migrations and other projects' instances are the administrator's."""
    compute = other_tenant.connection.compute
    calls: dict[str, Callable[[], Any]] = {
        "hypervisors": lambda: list(compute.hypervisors(details=True)),
        "services": lambda: list(compute.services()),
        "migrations": lambda: list(compute.migrations()),
        "all_projects": lambda: list(compute.servers(all_projects=True)),
    }
    refusal = _refused(calls[what])

    require_refused(refusal.startswith("403"), refusal, f"{what} for a tenant", cause="tenant-sees-hosts")


@pytest.mark.check("tenants.host.chosen", source=POLICY, api=True)
def test_a_tenant_cannot_choose_the_host(scenario: Scenario, cards: Cards) -> None:
    """A zone with a host's name in it would let a tenant pick the card: refused."""
    host = next(host.name for host in scenario.cloud.computes if host.gpus)
    refusal = scenario.refusal(scenario.flavor(1), availability_zone=f"nova:{host}")

    require_refused(
        "policy" in refusal.lower(),  # a quota refuses with 403, too, and says nothing of who may choose
        refusal,
        f"an instance on {host} by its zone's name",
        cause="tenant-chooses-the-host",
    )


@pytest.mark.check("tenants.host.moves", source=POLICY, api=True)
def test_a_tenant_cannot_migrate(scenario: Scenario, cards: Cards) -> None:
    """Cold migration, live migration and evacuation are the administrator's."""
    cards.none()
    server = scenario.server(scenario.flavor(0))
    compute = scenario.tenant.compute
    refusals = [
        _refused(lambda: compute.migrate_server(server)),
        _refused(lambda: compute.live_migrate_server(server, host=None, block_migration="auto")),
        _refused(lambda: compute.evacuate_server(server)),
    ]

    for operation, refusal in zip(("migrate", "live migrate", "evacuate"), refusals, strict=True):
        require_refused(refusal.startswith("403"), refusal, f"{operation} by a tenant", cause="tenant-moves-instances")


@pytest.mark.parametrize(
    "profile", [{"pci_slot": "0000:04:00.0"}, {"pci_vendor_info": f"{NVIDIA_VENDOR_ID}:15f8"}], ids=["slot", "ids"]
)
@pytest.mark.check("tenants.port.profile", source=NEUTRON, api=True)
def test_a_tenant_cannot_name_a_device_in_a_ports_profile(
    scenario: Scenario, cards: Cards, profile: dict[str, str]
) -> None:
    """binding:profile tells Nova which device a port has: a tenant's is refused, or the port has none."""
    refusal, stored = scenario.port_with_profile(profile)

    require(
        refusal.startswith("403") or not stored,
        "tenant-names-a-device",
        f"the port has the profile {stored}: Nova would give the instance that device of its host",
    )
