"""A cloud of two GPU hosts in memory: what Nova, libvirt, Placement and the guests would do and say.

It stands behind the suites' own probes: the API gives resources of openstacksdk, hosts give the text of their tools.
Each thing that can go wrong is a method of its own, so that a broken cloud is a subclass that replaces one method.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import requests
from openstack import exceptions as sdk

from probes.residue import CardState
from provisioning.scenario.card_traces import Traces

PRODUCT = "15f8"
MEMORY_MB = 65536
CORES = 20
NO_HOST = "No valid host was found. There are not enough hosts available."
POLICY = "hw:pci_numa_affinity_policy"
IMAGE_POLICY = "hw_pci_numa_affinity_policy"
STRICT = ("required", "socket", None)
"""None is Nova's own policy, legacy: these devices tell their node."""


class Refused(Exception):
    """The API refuses a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NoValidHost(Exception):
    """The scheduler finds no host: the operation fails, or a new instance is in ERROR."""


def as_http(refused: Refused) -> sdk.HttpException:
    """The error of openstacksdk for an answer of Nova's shape."""
    response = requests.Response()
    response.status_code, response.url = refused.status, "http://192.0.2.1/servers"
    response.headers["content-type"] = "application/json"
    response._content = f'{{"refused": {{"code": {refused.status}, "message": "{refused}"}}}}'.encode()
    response.request = requests.Request("POST", response.url).prepare()
    try:
        sdk.raise_from_response(response)
    except sdk.HttpException as error:
        return error
    raise AssertionError(f"{refused.status} is no refusal")


@dataclass(frozen=True)
class Card:
    """A card of a host."""

    host: str
    address: str
    node: int | None


@dataclass(frozen=True)
class Flavor:
    """A flavor; an instance keeps its own copy."""

    id: str
    name: str
    vcpus: int
    memory_mb: int
    specs: Mapping[str, str] = field(default_factory=dict)
    projects: tuple[str, ...] = ()

    @property
    def aliases(self) -> dict[str, int]:
        """Cards by alias."""
        words = [word.split(":") for word in self.specs.get("pci_passthrough:alias", "").split(",") if word]
        return {name: int(count) for name, count in words}


@dataclass
class Instance:
    """An instance as all sides have it."""

    id: str
    name: str
    owner: str
    flavor: Flavor
    zone: str | None = None
    policy: str | None = None
    """NUMA policy of its image."""
    reboots_itself: bool = False
    status: str = "BUILD"
    fault: str = ""
    host: str = ""
    claims: list[Card] = field(default_factory=list)
    domains: list[Card] = field(default_factory=list)
    """Devices in domains of it, on whichever host."""
    allocated: list[str] = field(default_factory=list)
    """Hosts where its own id has an allocation in Placement."""
    boots: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """Boot id and the products that the guest showed."""
    actions: list[tuple[str, str]] = field(default_factory=list)
    """Request id and message of each operation, newest first."""
    before: Instance | None = None
    """As it was before a move that waits to be confirmed."""
    migration: str = ""
    """Id of that move, which has the allocation of the first host meanwhile."""


class ModelCloud:
    """A healthy cloud."""

    cards_on_nodes: tuple[int | None, ...] = (0, 1)
    """NUMA node of each card of a host; None where firmware tells none."""
    microversion = (2, 96)
    """The highest one of Nova's API."""
    hosts = ("compute-0", "compute-1")
    aliases = ("a1", "a2")

    def __init__(self) -> None:
        self.cards = [
            Card(host, f"0000:{4 + number:02x}:00.0", node)
            for host in self.hosts
            for number, node in enumerate(self.cards_on_nodes)
        ]
        self.zones = dict(zip(self.hosts, ("nova", "east"), strict=True))
        self.flavors: dict[str, Flavor] = {}
        self.images: dict[str, dict[str, str]] = {"image": {}}
        self.instances: dict[str, Instance] = {}
        self.orphans: list[tuple[str, str]] = []
        """Host and consumer of allocations that nobody owns."""
        self.leaked: list[tuple[Card, str]] = []
        """Claims of instances that are gone."""
        self.starts = dict.fromkeys(self.hosts, 0)
        self.forced_down: set[str] = set()
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """The next id: always the same in the same run."""
        return str(uuid.UUID(int=next(self._numbers)))

    # --- what the API allows ---

    def allows(self, who: str, operation: str) -> bool:
        """Whether a policy lets a user do what is the administrator's."""
        return who == "admin"

    def owns(self, who: str, instance: Instance) -> bool:
        """Whether an instance is there for a user."""
        return who in ("admin", instance.owner)

    def may_use(self, who: str, flavor: Flavor) -> bool:
        """Whether a flavor is there for a user."""
        return who == "admin" or who in flavor.projects

    def check_policy(self, who: str, operation: str) -> None:
        """Refuse what only an administrator may do."""
        if not self.allows(who, operation):
            raise Refused(403, f"Policy doesn't allow os_compute_api:{operation} to be performed.")

    def check_flavor(self, who: str, flavor: Flavor) -> None:
        """Refuse a flavor that is not there for a user."""
        if not self.may_use(who, flavor):
            raise Refused(404, f"Flavor {flavor.id} could not be found.")

    def check_quota(self, flavor: Flavor) -> None:
        """Refuse more cores than the project may have."""
        if flavor.vcpus > CORES:
            raise Refused(403, f"Quota exceeded for cores: Requested {flavor.vcpus}, but already used 0 of {CORES}")

    def check_aliases(self, flavor: Flavor) -> None:
        """Refuse an alias that nova-api does not know."""
        for name in flavor.aliases:
            if name not in self.aliases:
                raise Refused(400, f"PCI alias {name} is not defined")

    def check_zone(self, zone: str | None) -> None:
        """Refuse a zone that is not there."""
        if zone is not None and zone not in self.zones.values():
            raise Refused(400, f"The requested availability zone {zone} is not available")

    def check_numa(self, flavor: Flavor, image_policy: str | None) -> None:
        """Refuse a policy of the flavor and another one of the image."""
        own = flavor.specs.get(POLICY)
        if own and image_policy and own != image_policy:
            raise Refused(400, "The image may not override the flavor's PCI NUMA affinity policy")

    # --- where the scheduler puts an instance ---

    def is_in_zone(self, host: str, zone: str | None) -> bool:
        """AvailabilityZoneFilter."""
        return zone is None or self.zones[host] == zone

    def has_memory(self, host: str, flavor: Flavor) -> bool:
        """Placement's answer."""
        return self.free_memory_mb(host) >= flavor.memory_mb

    def free_memory_mb(self, host: str) -> int:
        """What is not allocated on a host."""
        return MEMORY_MB - sum(item.flavor.memory_mb for item in self.instances.values() if host in item.allocated)

    def free_cards(self, host: str) -> list[Card]:
        """Cards of a host that nobody has claimed."""
        taken = {card for item in self.instances.values() for card in item.claims} | {card for card, _ in self.leaked}
        return [card for card in self.cards if card.host == host and card not in taken]

    def has_cards(self, host: str, flavor: Flavor) -> bool:
        """PciPassthroughFilter."""
        return len(self.free_cards(host)) >= sum(flavor.aliases.values())

    def fits_numa(self, host: str, flavor: Flavor, policy: str | None) -> bool:
        """NUMATopologyFilter: some node, or as many as the instance has, gives all cards."""
        if "hw:numa_nodes" not in flavor.specs or policy not in STRICT:
            return True
        if None in self.cards_on_nodes:
            return policy is None
        most = self.cards_by_node(host)[: int(flavor.specs["hw:numa_nodes"])]
        return sum(map(len, most)) >= sum(flavor.aliases.values())

    def cards_by_node(self, host: str) -> list[list[Card]]:
        """Free cards of each node, the node with most of them first."""
        free = self.free_cards(host)
        nodes = {card.node: [other for other in free if other.node == card.node] for card in free}
        return sorted(nodes.values(), key=len, reverse=True)

    def policy_of(self, flavor: Flavor, image_policy: str | None) -> str | None:
        """The NUMA policy that counts."""
        return flavor.specs.get(POLICY) or image_policy

    def host_for(self, instance: Instance, flavor: Flavor, *, besides: str = "") -> str:
        """The first host that passes all filters."""
        policy = self.policy_of(flavor, instance.policy)
        fit = [
            host
            for host in self.hosts
            if host != besides
            and host not in self.forced_down
            and self.is_in_zone(host, instance.zone)
            and self.has_memory(host, flavor)
            and self.has_cards(host, flavor)
            and self.fits_numa(host, flavor, policy)
        ]
        if not fit:
            raise NoValidHost(NO_HOST)
        return fit[0]

    def pick(self, host: str, flavor: Flavor) -> list[Card]:
        """The cards that an instance gets: of as few nodes as can be."""
        ordered = [card for node in self.cards_by_node(host) for card in node]
        return ordered[: sum(flavor.aliases.values())]

    # --- how an instance gets and loses its cards ---

    def settle(self, instance: Instance, flavor: Flavor, host: str) -> None:
        """Claim, allocate, define the domain and boot."""
        cards = self.pick(host, flavor)
        instance.flavor, instance.host = flavor, host
        instance.claims, instance.domains = [*instance.claims, *cards], [*instance.domains, *cards]
        instance.allocated = [*instance.allocated, host]
        self.boot(instance)

    def boot(self, instance: Instance) -> None:
        """The guest starts and shows on its console what it has."""
        instance.boots.append((self.new_id(), self.shown(instance)))

    def shown(self, instance: Instance) -> tuple[str, ...]:
        """Products that a guest shows at a boot: those of the devices in its domain."""
        return tuple(PRODUCT for card in instance.domains if card.host == instance.host)

    def node_of(self, instance: Instance) -> int:
        """The host's node that an instance with one node is on: that of its first card."""
        return next((card.node for card in instance.domains if card.node is not None), 0)

    def release(self, instance: Instance) -> None:
        """Give back the claims of an instance that ends; what is left stays claimed for it."""
        instance.claims = []

    def deallocate(self, instance: Instance) -> None:
        """Remove its allocations from Placement."""
        instance.allocated = []

    # --- operations ---

    def create(
        self, who: str, name: str, flavor: Flavor, image_id: str, zone: str | None, *, reboots_itself: bool = False
    ) -> Instance:
        """One new instance, ACTIVE or in ERROR."""
        zone, _, forced = (zone or "").partition(":")
        if forced:
            self.check_policy(who, "servers:create:forced_host")
        image_policy = self.images[image_id].get(IMAGE_POLICY)
        self.check_quota(flavor)
        self.check_aliases(flavor)
        self.check_zone(zone or None)
        self.check_numa(flavor, image_policy)
        made = Instance(self.new_id(), name, who, flavor, zone or None, image_policy, reboots_itself)
        self.instances[made.id] = made
        try:
            self.settle(made, flavor, forced or self.host_for(made, flavor))
            made.status = "ACTIVE"
        except NoValidHost as error:
            made.status, made.fault = "ERROR", str(error)
            self.fail(made)
        return made

    def fail(self, instance: Instance) -> None:
        """An instance ends in ERROR: nothing of it is left on a host."""
        self.release(instance)
        self.deallocate(instance)

    def delete(self, instance: Instance) -> None:
        """An instance goes; what it still has claimed is leaked."""
        claims_of_move = instance.before.claims if instance.before else []
        self.release(instance)
        self.deallocate(instance)
        self.forget_move(instance, claims_of_move)
        self.leaked += [(card, instance.id) for card in instance.claims]
        del self.instances[instance.id]

    def forget_move(self, instance: Instance, claims: list[Card]) -> None:
        """The claims on the first host of a move go with the instance."""

    def act(self, instance: Instance, operation: Callable[[], None]) -> None:
        """Run an operation; one that finds no host leaves the instance as it was, and says so in its log."""
        message = ""
        try:
            operation()
        except NoValidHost as error:
            message = str(error)
        instance.actions.insert(0, (self.new_id(), message))

    def reboot(self, instance: Instance) -> None:
        """A soft or hard reboot."""
        self.boot(instance)

    def reboot_from_inside(self, instance: Instance) -> None:
        """A guest that reboots itself."""
        self.boot(instance)

    def rebuild(self, instance: Instance) -> None:
        """A new disk, the same cards."""
        self.boot(instance)

    def pause(self, instance: Instance) -> None:
        """QEMU stands still and keeps its devices."""
        instance.status = "PAUSED"

    def unpause(self, instance: Instance) -> None:
        """It goes on."""
        instance.status = "ACTIVE"

    def stop(self, instance: Instance) -> None:
        """The domain is shut off; the claim stays."""
        instance.status = "SHUTOFF"

    def start(self, instance: Instance) -> None:
        """The domain is started."""
        instance.status = "ACTIVE"
        self.boot(instance)

    def suspend(self, instance: Instance) -> None:
        """The devices stay in the definition."""
        instance.status = "SUSPENDED"

    def resume(self, instance: Instance) -> None:
        """It goes on from its saved memory."""
        instance.status = "ACTIVE"

    def resize(self, instance: Instance, flavor: Flavor) -> None:
        """A move to the host that fits a flavor, to be confirmed or reverted."""
        self.move(instance, flavor, besides="")

    def migrate(self, instance: Instance) -> None:
        """A cold move to another host."""
        self.move(instance, instance.flavor, besides=instance.host)

    def move(self, instance: Instance, flavor: Flavor, *, besides: str) -> None:
        """Claim there beside what is claimed here, and boot there."""
        was_stopped = instance.status == "SHUTOFF"
        host = self.host_for(instance, flavor, besides=besides)
        instance.before = replace(instance, before=None)
        instance.migration = self.new_id()
        first = list(instance.claims)
        instance.domains, instance.allocated = [], []
        cards = self.pick(host, flavor)
        instance.flavor, instance.host = flavor, host
        instance.claims, instance.domains, instance.allocated = [*first, *cards], cards, [host]
        instance.status = "VERIFY_RESIZE"
        if not was_stopped:
            self.boot(instance)

    def confirm(self, instance: Instance) -> None:
        """The first host's claims are freed."""
        before = instance.before
        assert before is not None
        instance.claims = [card for card in instance.claims if card not in before.claims]
        instance.status, instance.before, instance.migration = before.status, None, ""

    def revert(self, instance: Instance) -> None:
        """Back on the first host, as before."""
        before = instance.before
        assert before is not None
        instance.host, instance.flavor = before.host, before.flavor
        instance.claims, instance.domains = before.claims, before.domains
        instance.allocated, instance.status = before.allocated, before.status
        instance.before, instance.migration = None, ""
        self.boot(instance)

    def live_migrate(self, instance: Instance) -> None:
        """A whole card has no state that could move along."""
        if instance.claims:
            raise Refused(400, "Cannot live migrate an instance with PCI devices of flavors")
        instance.host = self.host_for(instance, instance.flavor, besides=instance.host)

    def evacuate(self, instance: Instance) -> None:
        """The guest is made again elsewhere; its first host keeps a domain until its nova-compute comes back."""
        host, ghosts = self.host_for(instance, instance.flavor, besides=instance.host), instance.domains
        instance.claims, instance.domains, instance.allocated = [], [], []
        self.settle(instance, instance.flavor, host)
        instance.domains = [*instance.domains, *ghosts]

    def shelve(self, instance: Instance) -> None:
        """Nothing of it stays on a host."""
        self.release(instance)
        self.deallocate(instance)
        instance.domains, instance.host, instance.status = [], "", "SHELVED_OFFLOADED"

    def unshelve(self, instance: Instance) -> None:
        """As new, where there is room."""
        instance.boots = []  # the console is that of the new host
        self.settle(instance, instance.flavor, self.host_for(instance, instance.flavor))
        instance.status = "ACTIVE"

    def delete_flavor(self, flavor: Flavor) -> None:
        """Instances have their own copy."""
        del self.flavors[flavor.id]

    def restart_compute(self, host: str) -> None:
        """nova-compute starts: it removes the domains of instances that are elsewhere now."""
        self.starts[host] += 1
        for item in self.instances.values():
            item.domains = [card for card in item.domains if card.host != host or item.host == host]

    # --- what the sides say ---

    def shows(self, side: str) -> bool:
        """Whether the suite may look: sysfs, virsh, mysql or placement."""
        return True

    def claims(self) -> Iterable[tuple[Card, str | None]]:
        """A row of pci_devices for each card, with the instance that has it."""
        holders = {card: item.id for item in self.instances.values() for card in item.claims} | dict(self.leaked)
        return [(card, holders.get(card)) for card in self.cards]

    def allocations(self) -> list[tuple[str, str]]:
        """Host and consumer of each allocation."""
        own = [(host, item.id) for item in self.instances.values() for host in item.allocated]
        moves = [(item.before.host, item.migration) for item in self.instances.values() if item.before]
        return [*own, *moves, *self.orphans]

    def stored_profile(self, who: str, profile: Mapping[str, str]) -> dict[str, str]:
        """What a port keeps of a binding profile."""
        if who != "admin":
            raise Refused(403, "rule:create_port:binding:profile is disallowed by policy")
        return dict(profile)

    # --- one card, two tenants after each other ---

    def given_back(self, card: CardState) -> CardState:
        """A card that changed hands, as the next tenant finds it."""
        return card

    def traces(self) -> Traces:
        """What the second instance finds of the first one."""
        first = CardState("GPU-1", "86.00.52.00.01", ("250.00 W", "250.00 W", "Default", "Enabled"))
        after = self.given_back(first)
        return Traces(
            card=first.uuid,
            same_card=after.uuid == first.uuid,
            written_then_found=True,
            found_by_next=0,
            settings_before=first.settings,
            settings_changed=True,
            settings_next=after.settings,
            vbios_before=first.vbios,
            vbios_next=after.vbios,
        )
