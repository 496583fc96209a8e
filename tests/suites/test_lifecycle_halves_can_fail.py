"""Broken clouds where an operation on an instance does one half of what it should: the card, the claim, or the rest."""

from __future__ import annotations

from model_cloud import Card, Flavor, Instance, ModelCloud, NoValidHost, Refused
from proving import proves


@proves("lifecycle.claim.exact", "other-cards-than-requested/product")
class TheCardIsOfAnotherProduct(ModelCloud):
    def shown(self, instance: Instance) -> tuple[str, ...]:
        return tuple("1db4" for _ in super().shown(instance))


@proves("lifecycle.claim.exact", "domain-without-claim")
@proves("lifecycle.claim.two_aliases", "domain-without-claim")
class NobodyHasTheClaim(ModelCloud):
    def settle(self, instance: Instance, flavor: Flavor, host: str) -> None:
        super().settle(instance, flavor, host)
        instance.claims = []


@proves("lifecycle.claim.freed", "orphaned-allocation")
@proves("lifecycle.power.delete_stopped", "orphaned-allocation")
@proves("lifecycle.host.restart_then_delete", "orphaned-allocation")
class AnAllocationOutlivesItsInstance(ModelCloud):
    def deallocate(self, instance: Instance) -> None:
        self.orphans += [(host, instance.id) for host in instance.allocated]
        super().deallocate(instance)


@proves("lifecycle.claim.exhausted", "domain-without-claim")
@proves("lifecycle.claim.race", "domain-without-claim")
class AnInstanceThatFindsNoHostKeepsAClaim(ModelCloud):
    def host_for(self, instance: Instance, flavor: Flavor, *, besides: str = "") -> str:
        try:
            return super().host_for(instance, flavor, besides=besides)
        except NoValidHost:
            self.leaked += [(self.cards[0], instance.id)]
            raise


@proves("lifecycle.claim.race", "more-cards-than-there-are")
class TheLastCardIsThatOfTheFirstInstance(ModelCloud):
    def pick(self, host: str, flavor: Flavor) -> list[Card]:
        last = sum(len(self.free_cards(each)) for each in self.hosts) == 1
        return [card for card in self.cards if card.host == host][:1] if last else super().pick(host, flavor)


@proves("lifecycle.claim.flavor_is_private", "domain-without-claim")
class TheClaimGoesWithTheFlavor(ModelCloud):
    def delete_flavor(self, flavor: Flavor) -> None:
        super().delete_flavor(flavor)
        for instance in self.instances.values():
            if instance.flavor.id == flavor.id:
                instance.claims = []


@proves("lifecycle.host.restart", "domain-without-claim")
class ARestartLosesTheClaims(ModelCloud):
    def restart_compute(self, host: str) -> None:
        super().restart_compute(host)
        for instance in self.instances.values():
            instance.claims = []


@proves("lifecycle.host.restart", "instance-changed")
class ARestartBootsTheGuests(ModelCloud):
    def restart_compute(self, host: str) -> None:
        super().restart_compute(host)
        for instance in self.instances.values():
            self.boot(instance)


@proves("lifecycle.host.evacuate", "evacuated-guest-stays")
class AnEvacuatedGuestStays(ModelCloud):
    def restart_compute(self, host: str) -> None:
        self.starts[host] += 1


@proves("lifecycle.move.resize", "card-stays-claimed")
@proves("lifecycle.move.migrate", "card-stays-claimed")
class ARevertedMoveKeepsTheNewClaim(ModelCloud):
    def revert(self, instance: Instance) -> None:
        claims = instance.claims
        super().revert(instance)
        instance.claims = claims


@proves("lifecycle.move.migrate", "instance-changed")
class ARevertedMoveStaysThere(ModelCloud):
    def revert(self, instance: Instance) -> None:
        self.confirm(instance)
        self.boot(instance)


@proves("lifecycle.move.resize", "other-cards-than-requested")
class AResizeKeepsTheOldCards(ModelCloud):
    def resize(self, instance: Instance, flavor: Flavor) -> None:
        super().resize(instance, instance.flavor)


@proves("lifecycle.move.migrate_refused", "instance-changed")
class ARefusedMigrationStopsTheGuest(ModelCloud):
    def migrate(self, instance: Instance) -> None:
        instance.status = "SHUTOFF"
        super().migrate(instance)


@proves("lifecycle.move.live_migration", "instance-changed")
class ARefusedLiveMigrationRebootsTheGuest(ModelCloud):
    def live_migrate(self, instance: Instance) -> None:
        self.boot(instance)
        super().live_migrate(instance)


@proves("lifecycle.move.live_migration", "instance-changed")
class ARefusedLiveMigrationPausesTheGuest(ModelCloud):
    def live_migrate(self, instance: Instance) -> None:
        instance.status = "PAUSED"
        super().live_migrate(instance)


@proves("lifecycle.move.shelve", "orphaned-allocation")
class AShelvedInstanceKeepsItsAllocation(ModelCloud):
    def shelve(self, instance: Instance) -> None:
        allocated = instance.allocated
        super().shelve(instance)
        instance.allocated = allocated


@proves("lifecycle.move.shelve", "domain-without-claim")
class AShelvedInstanceLeavesItsDomain(ModelCloud):
    def shelve(self, instance: Instance) -> None:
        domains = instance.domains
        super().shelve(instance)
        instance.domains = domains


@proves("lifecycle.move.shelve", "other-cards-than-requested")
class AnUnshelvedInstanceHasNoCard(ModelCloud):
    def unshelve(self, instance: Instance) -> None:
        super().unshelve(instance)
        instance.boots = [(self.new_id(), ())]


@proves("lifecycle.move.unshelve_refused", "unshelved-without-a-free-card")
class AnUnshelvedInstanceNeedsNoFreeCard(ModelCloud):
    def unshelve(self, instance: Instance) -> None:
        instance.boots = []
        self.settle(instance, instance.flavor, self.hosts[0])
        instance.status = "ACTIVE"


@proves("lifecycle.move.snapshot", "double-claim")
class AnInstanceOfASnapshotHasTheFirstOnesCard(ModelCloud):
    def pick(self, host: str, flavor: Flavor) -> list[Card]:
        return [card for card in self.cards if card.host == host][: sum(flavor.aliases.values())]


@proves("lifecycle.power.reboot", "domain-without-claim")
class ARebootLosesTheClaim(ModelCloud):
    def reboot(self, instance: Instance) -> None:
        super().reboot(instance)
        instance.claims = []


@proves("lifecycle.power.rebuild", "other-cards-than-requested")
class ARebuiltInstanceHasOneCardLess(ModelCloud):
    def rebuild(self, instance: Instance) -> None:
        super().rebuild(instance)
        boot_id, shown = instance.boots[-1]
        instance.boots[-1] = (boot_id, shown[1:])


@proves("lifecycle.power.stop", "instance-changed")
class AStoppedInstanceStartsWithAnotherCard(ModelCloud):
    def start(self, instance: Instance) -> None:
        instance.claims = instance.domains = self.free_cards(instance.host)[:1] or instance.domains[:1]
        super().start(instance)


@proves("lifecycle.power.suspend", "claim-lost")
class ASuspendedInstanceLosesItsClaim(ModelCloud):
    def suspend(self, instance: Instance) -> None:
        super().suspend(instance)
        instance.claims = []


@proves("lifecycle.power.suspend", "instance-changed")
class AResumedGuestBootsAgain(ModelCloud):
    def resume(self, instance: Instance) -> None:
        super().resume(instance)
        self.boot(instance)


@proves("lifecycle.power.pause", "domain-without-claim")
class APausedInstanceLosesItsClaim(ModelCloud):
    def pause(self, instance: Instance) -> None:
        super().pause(instance)
        instance.claims = []


@proves("lifecycle.scheduling.quota", "quota-not-kept")
class AnotherThanTheQuotaRefuses(ModelCloud):
    def check_quota(self, flavor: Flavor) -> None:
        raise Refused(400, "Invalid input for field/attribute server")


@proves("tenants.other.reach", "instance-reached-by-another-tenant")
class AnotherTenantIsToldThatItIsThere(ModelCloud):
    def owns(self, who: str, instance: Instance) -> bool:
        if who == "other":
            raise Refused(403, "Policy doesn't allow os_compute_api:servers:show to be performed.")
        return super().owns(who, instance)
