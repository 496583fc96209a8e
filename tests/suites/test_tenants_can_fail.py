"""Broken clouds that the checks of the tenants' separation must reject: each does one thing otherwise."""

from __future__ import annotations

from dataclasses import replace

from model_cloud import Flavor, Instance, ModelCloud, Refused
from proving import proves

from probes.residue import CardState


@proves("tenants.card.vbios", "firmware-changed")
class ATenantFlashedTheCard(ModelCloud):
    def given_back(self, card: CardState) -> CardState:
        return replace(card, vbios="86.00.52.00.02")


@proves("tenants.no_admin", "tenant-is-administrator")
class TheTenantsUserIsAdministrator(ModelCloud):
    def allows(self, who: str, operation: str) -> bool:
        return who in ("admin", "tenant")


@proves("tenants.other.list", "instance-seen-by-another-tenant")
@proves("tenants.other.reach", "instance-reached-by-another-tenant")
class InstancesAreEverybodys(ModelCloud):
    def owns(self, who: str, instance: Instance) -> bool:
        return True


@proves("tenants.other.flavor", "flavor-for-everybody")
class ThePrivateFlavorIsEverybodys(ModelCloud):
    def may_use(self, who: str, flavor: Flavor) -> bool:
        return True


@proves("tenants.other.flavor", "flavor-for-everybody")
class OnlyTheImageKeepsOthersFromTheFlavor(ModelCloud):
    """An image that belongs to the first tenant: with one of its own the other tenant has the cards."""

    def check_flavor(self, who: str, flavor: Flavor) -> None:
        if not self.may_use(who, flavor):
            raise Refused(400, "Image 6d2f could not be found.")


@proves("tenants.other.hosts", "tenant-sees-hosts")
class EveryTenantSeesTheHypervisors(ModelCloud):
    def allows(self, who: str, operation: str) -> bool:
        return who == "admin" or operation.startswith("os-hypervisors")


@proves("tenants.other.hosts", "tenant-sees-hosts")
class EveryTenantSeesTheInstancesOfAllProjects(ModelCloud):
    def allows(self, who: str, operation: str) -> bool:
        return who == "admin" or operation.endswith("get_all_tenants")


@proves("tenants.host.chosen", "tenant-chooses-the-host")
class ATenantNamesTheHost(ModelCloud):
    def allows(self, who: str, operation: str) -> bool:
        return who == "admin" or operation == "servers:create:forced_host"


@proves("tenants.host.chosen", "tenant-chooses-the-host")
class OnlyTheQuotaRefusesANamedHost(ModelCloud):
    """Nova asks its policy first: who gets as far as the quota may choose."""

    def check_policy(self, who: str, operation: str) -> None:
        if operation == "servers:create:forced_host":
            raise Refused(403, "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances")
        super().check_policy(who, operation)


@proves("tenants.host.moves", "tenant-moves-instances")
class ATenantMigratesItsInstances(ModelCloud):
    def allows(self, who: str, operation: str) -> bool:
        return who == "admin" or operation == "os-migrate-server:migrate"


@proves("tenants.host.moves", "tenant-moves-instances")
class ATenantEvacuatesItsInstances(ModelCloud):
    def allows(self, who: str, operation: str) -> bool:
        return who == "admin" or operation == "os-evacuate"
