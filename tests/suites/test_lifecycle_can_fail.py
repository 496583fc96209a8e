"""Broken clouds that the checks of the lifecycle must reject: each does one thing otherwise than the healthy one."""

from __future__ import annotations

from model_cloud import STRICT, Card, Flavor, Instance, ModelCloud, NoValidHost
from proving import proves


@proves("lifecycle.claim.exact", "other-cards-than-requested")
class TheGuestSeesOneCardLess(ModelCloud):
    def shown(self, instance: Instance) -> tuple[str, ...]:
        return super().shown(instance)[1:]


@proves("lifecycle.claim.two_aliases", "other-cards-than-requested/product")
class OnlyTheFirstAliasCounts(ModelCloud):
    def pick(self, host: str, flavor: Flavor) -> list[Card]:
        return super().pick(host, flavor)[: next(iter(flavor.aliases.values()), 0)]


@proves("lifecycle.claim.none", "other-cards-than-requested")
class EveryInstanceGetsACard(ModelCloud):
    def pick(self, host: str, flavor: Flavor) -> list[Card]:
        return super().pick(host, flavor) or self.free_cards(host)[:1]


@proves("lifecycle.claim.not_shared", "double-claim")
class AClaimedCardCountsAsFree(ModelCloud):
    def free_cards(self, host: str) -> list[Card]:
        return [card for card in self.cards if card.host == host]


@proves("lifecycle.claim.too_many", "more-cards-than-a-host-has")
@proves("lifecycle.claim.exhausted", "more-cards-than-there-are")
class TheSchedulerDoesNotCountCards(ModelCloud):
    def has_cards(self, host: str, flavor: Flavor) -> bool:
        return True


@proves("lifecycle.claim.unknown_alias", "alias-not-checked")
class TheApiTakesEveryAlias(ModelCloud):
    def check_aliases(self, flavor: Flavor) -> None:
        pass


@proves("lifecycle.claim.race", "free-cards-not-given")
class TheLastCardIsNeverGiven(ModelCloud):
    def has_cards(self, host: str, flavor: Flavor) -> bool:
        left = sum(len(self.free_cards(each)) for each in self.hosts)
        return super().has_cards(host, flavor) and left > sum(flavor.aliases.values())


@proves("lifecycle.claim.error_leaves_nothing", "orphaned-allocation")
class AnInstanceInErrorKeepsItsAllocation(ModelCloud):
    def fail(self, instance: Instance) -> None:
        instance.allocated = [self.hosts[0]]


@proves("lifecycle.claim.error_leaves_nothing", "orphaned-allocation")
class TheAllocationOfAnErrorComesWhenItIsDeleted(ModelCloud):
    def delete(self, instance: Instance) -> None:
        super().delete(instance)
        if instance.status == "ERROR":
            self.orphans.append((self.hosts[0], instance.id))


@proves("lifecycle.claim.error_leaves_nothing", "card-stays-claimed")
class AnInstanceInErrorKeepsAClaimUntilItIsDeleted(ModelCloud):
    def fail(self, instance: Instance) -> None:
        instance.claims = self.cards[:1]


@proves("lifecycle.claim.flavor_is_private", "other-cards-than-requested")
class TheCardsGoWithTheFlavor(ModelCloud):
    def delete_flavor(self, flavor: Flavor) -> None:
        super().delete_flavor(flavor)
        for instance in self.instances.values():
            if instance.flavor.id == flavor.id:
                instance.domains = []


@proves("lifecycle.host.restart", "instance-changed")
class ARestartOfNovaComputeStopsTheGuests(ModelCloud):
    def restart_compute(self, host: str) -> None:
        super().restart_compute(host)
        for instance in self.instances.values():
            instance.status = "SHUTOFF"


@proves("lifecycle.host.restart_then_delete", "card-stays-claimed")
class ClaimsOfBeforeARestartAreForgotten(ModelCloud):
    def release(self, instance: Instance) -> None:
        if not any(self.starts.values()):
            super().release(instance)


@proves("lifecycle.move.migrate", "not-migrated")
class AMigrationMayEndWhereItBegan(ModelCloud):
    def migrate(self, instance: Instance) -> None:
        self.move(instance, instance.flavor, besides=next(h for h in self.hosts if h != instance.host))


@proves("lifecycle.move.migrate", "card-stays-claimed")
class AConfirmedMoveKeepsTheFirstClaim(ModelCloud):
    def confirm(self, instance: Instance) -> None:
        claims = instance.claims
        super().confirm(instance)
        instance.claims = claims


@proves("lifecycle.move.migrate_refused", "moved-without-a-free-card")
class AMigrationNeedsNoFreeCard(ModelCloud):
    def has_cards(self, host: str, flavor: Flavor) -> bool:
        return super().has_cards(host, flavor) or not self.free_cards(self.hosts[0])


@proves("lifecycle.move.stopped", "other-cards-than-requested")
class AStoppedInstanceArrivesWithoutItsCard(ModelCloud):
    def move(self, instance: Instance, flavor: Flavor, *, besides: str) -> None:
        was_stopped = instance.status == "SHUTOFF"
        super().move(instance, flavor, besides=besides)
        instance.domains = [] if was_stopped else instance.domains


@proves("lifecycle.move.stopped", "not-migrated")
class AStoppedInstanceStaysWhereItIs(ModelCloud):
    def migrate(self, instance: Instance) -> None:
        stays = next(h for h in self.hosts if h != instance.host) if instance.status == "SHUTOFF" else instance.host
        self.move(instance, instance.flavor, besides=stays)


@proves("lifecycle.move.delete_resized", "card-stays-claimed")
class AMoveThatIsDeletedKeepsTheFirstClaim(ModelCloud):
    def forget_move(self, instance: Instance, claims: list[Card]) -> None:
        self.leaked += [(card, instance.id) for card in claims]


@proves("lifecycle.move.live_migration", "moved-alive-with-a-card")
class ACardMovesAlive(ModelCloud):
    def live_migrate(self, instance: Instance) -> None:
        instance.host = self.host_for(instance, instance.flavor, besides=instance.host)


@proves("lifecycle.move.shelve", "card-stays-claimed")
class AShelvedInstanceKeepsItsClaim(ModelCloud):
    def shelve(self, instance: Instance) -> None:
        claims = instance.claims
        super().shelve(instance)
        instance.claims = claims


@proves("lifecycle.move.snapshot", "other-cards-than-requested")
class AnInstanceOfASnapshotHasNoCard(ModelCloud):
    def create(
        self, who: str, name: str, flavor: Flavor, image_id: str, zone: str | None, *, reboots_itself: bool = False
    ) -> Instance:
        flavor = flavor if image_id == "image" else Flavor(flavor.id, flavor.name, flavor.vcpus, flavor.memory_mb)
        return super().create(who, name, flavor, image_id, zone, reboots_itself=reboots_itself)


@proves("lifecycle.numa.one_card", "card-of-another-numa-node")
class TheCardIsOfTheOtherNode(ModelCloud):
    def node_of(self, instance: Instance) -> int:
        return 1 - super().node_of(instance)


@proves("lifecycle.numa.two_cards", "numa-policy-not-kept")
class TheFlavorsPolicyIsNotKept(ModelCloud):
    def fits_numa(self, host: str, flavor: Flavor, policy: str | None) -> bool:
        return True


@proves("lifecycle.numa.two_nodes", "instance-refused")
class TwoNodesCountAsOne(ModelCloud):
    def fits_numa(self, host: str, flavor: Flavor, policy: str | None) -> bool:
        return policy not in STRICT or len(self.cards_by_node(host)[0]) >= sum(flavor.aliases.values())


@proves("lifecycle.numa.image", "numa-policy-not-kept")
class TheImagesPolicyDoesNotCount(ModelCloud):
    def policy_of(self, flavor: Flavor, image_policy: str | None) -> str | None:
        return super().policy_of(flavor, None if image_policy is None else "preferred")


@proves("lifecycle.numa.conflict", "policy-conflict-accepted")
class TwoPoliciesAreAccepted(ModelCloud):
    def check_numa(self, flavor: Flavor, image_policy: str | None) -> None:
        pass


class ThreeCards(ModelCloud):
    """A healthy cloud whose hosts have two cards on one node, and another one."""

    cards_on_nodes = (0, 1, 0)


@proves("lifecycle.numa.pair", "cards-of-two-sockets")
class ThePairIsOfTwoNodes(ThreeCards):
    def pick(self, host: str, flavor: Flavor) -> list[Card]:
        return self.free_cards(host)[: sum(flavor.aliases.values())]


@proves("lifecycle.numa.two_cards", "policy-refuses-what-fits")
class ThePolicyRefusesAPairOfOneNode(ThreeCards):
    def fits_numa(self, host: str, flavor: Flavor, policy: str | None) -> bool:
        return policy not in STRICT or sum(flavor.aliases.values()) < 2


@proves("lifecycle.power.delete_stopped", "card-stays-claimed")
class AStoppedInstanceKeepsItsClaimWhenDeleted(ModelCloud):
    def release(self, instance: Instance) -> None:
        if instance.status != "SHUTOFF":
            super().release(instance)


@proves("lifecycle.power.guest_reboot", "other-cards-than-requested")
class ACardDoesNotComeBackFromTheGuestsReboot(ModelCloud):
    def reboot_from_inside(self, instance: Instance) -> None:
        instance.boots.append((self.new_id(), ()))


@proves("lifecycle.power.pause", "instance-changed")
class APausedGuestBootsAgain(ModelCloud):
    def unpause(self, instance: Instance) -> None:
        super().unpause(instance)
        self.boot(instance)


@proves("lifecycle.power.pause", "instance-changed")
class APausedInstanceLosesItsDevice(ModelCloud):
    def pause(self, instance: Instance) -> None:
        super().pause(instance)
        instance.domains = []


@proves("lifecycle.power.reboot", "instance-changed")
@proves("lifecycle.power.rebuild", "instance-changed")
class ARebootBringsAnotherCard(ModelCloud):
    def boot(self, instance: Instance) -> None:
        if instance.boots:
            instance.claims = instance.domains = self.free_cards(instance.host)[:1] or instance.domains[:1]
        super().boot(instance)


@proves("lifecycle.power.stop", "claim-lost")
class AStoppedInstanceLosesItsClaim(ModelCloud):
    def stop(self, instance: Instance) -> None:
        super().stop(instance)
        instance.claims = []


@proves("lifecycle.reconciliation.placement", "orphaned-allocation")
class PlacementHasAnOrphan(ModelCloud):
    def allocations(self) -> list[tuple[str, str]]:
        return [*super().allocations(), (self.hosts[0], "f3b1c0de-0000-4000-8000-000000000000")]


@proves("lifecycle.scheduling.full_host", "memory-given-twice")
class AnInstanceWithACardNeedsNoMemory(ModelCloud):
    def has_memory(self, host: str, flavor: Flavor) -> bool:
        return bool(flavor.aliases) or super().has_memory(host, flavor)


@proves("lifecycle.scheduling.full_host", "card-stays-claimed")
class AnInstanceThatFindsNoMemoryKeepsItsClaim(ModelCloud):
    def host_for(self, instance: Instance, flavor: Flavor, *, besides: str = "") -> str:
        try:
            return super().host_for(instance, flavor, besides=besides)
        except NoValidHost:
            self.leaked += [(card, instance.id) for card in self.free_cards(self.hosts[0])[:1]]
            raise


@proves("lifecycle.scheduling.zone", "placed-in-another-zone")
@proves("lifecycle.scheduling.own_zone", "placed-in-another-zone")
class AZoneGivesTheCardsOfAnother(ModelCloud):
    def is_in_zone(self, host: str, zone: str | None) -> bool:
        return zone is None or self.zones[host] != zone


@proves("lifecycle.scheduling.own_zone", "more-cards-than-there-are")
class AFullZoneOverflows(ModelCloud):
    def is_in_zone(self, host: str, zone: str | None) -> bool:
        here = [other for other in self.hosts if super(AFullZoneOverflows, self).is_in_zone(other, zone)]
        return host in here or not any(map(self.free_cards, here))


@proves("lifecycle.scheduling.quota", "quota-not-kept")
class TheQuotaIsNotKept(ModelCloud):
    def check_quota(self, flavor: Flavor) -> None:
        pass


@proves("lifecycle.scheduling.unknown_zone", "unknown-zone-accepted")
class EveryZoneIsAccepted(ModelCloud):
    def check_zone(self, zone: str | None) -> None:
        if zone is not None:
            self.zones = dict.fromkeys(self.hosts, zone)
