"""Whether an instance fits the GPU hosts, and what speaks against each host: in the words of what the suite has seen.

The order of the reasons is that of the advice: what configuration forbids comes before what is only full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from judging.causes import rejected
from judging.image_and_flavor import has_numa_topology, numa_node_count, policy_of, required_traits
from judging.nova_aliases import name_of
from judging.nova_device_specs import normalized
from probes import alias_request
from probes.numa_nodes import NumaNode
from probes.openstack.nova import Aggregate, ComputeService
from probes.openstack.placement import Inventory

AGGREGATE = "aggregate_instance_extra_specs:"
TWO_SOCKETS = 2
"""With no more nodes than that a node is a socket."""
TENANT = "filter_tenant_id"
LEAST_FOR_A_GUEST = {"DISK_GB", "VCPU", "PCPU", "MEMORY_MB"}


class Kind(StrEnum):
    """What can speak against a host, the most telling first."""

    SERVICE = "service"
    AGGREGATE = "aggregate"
    TENANT = "tenant"
    ARCHITECTURE = "architecture"
    TRAITS = "traits"
    ALIAS = "alias"
    RESERVED = "reserved"
    TOPOLOGY = "topology"
    POLICY = "policy"
    SIZE = "size"
    CARDS = "cards"


CAUSES = {
    Kind.SERVICE: "no-gpu-host-in-service",
    Kind.AGGREGATE: "no-aggregate-of-the-flavor",
    Kind.TENANT: "gpu-hosts-of-other-projects",
    Kind.ARCHITECTURE: "image-that-no-host-runs",
    Kind.TRAITS: "trait-that-no-host-has",
    Kind.ALIAS: "alias-fits-no-card",
    Kind.RESERVED: "cards-reserved",
    Kind.TOPOLOGY: "numa-topology-cannot-be-met",
    Kind.POLICY: "numa-policy-cannot-be-met",
    Kind.SIZE: "gpu-hosts-full",
    Kind.CARDS: "cards-taken",
}
"""The cause of an instance that finds no host now."""
CAUSES_OF_EMPTY_HOSTS = {
    **CAUSES,
    Kind.SIZE: "flavor-larger-than-every-host",
    Kind.CARDS: "flavor-asks-for-more-cards-than-a-host-has",
}
"""The cause of a flavor that would find none if all hosts were empty."""


@dataclass(frozen=True)
class CardFacts:
    """A card that its host gives to instances."""

    address: str
    vendor_id: str
    product_id: str
    device_type: str
    numa_node: int | None
    resource_class: str = ""
    traits: frozenset[str] = frozenset()
    is_taken: bool = False
    """Whether an instance has it."""
    is_reserved: bool = False
    """Whether Placement keeps it back although nobody has it: one_time_use, or an operator's hand."""


@dataclass(frozen=True)
class HostFacts:
    """What the suite knows of one GPU host. None stands for what it could not see: it is never held against a host."""

    name: str
    service: ComputeService | None = None
    aggregates: tuple[Aggregate, ...] = ()
    inventories: Mapping[str, Inventory] | None = None
    traits: frozenset[str] | None = None
    cards: tuple[CardFacts, ...] = ()
    cards_taken: int = 0
    """By the flavors of instances that Nova has there; counts where no card says itself that it is taken."""
    nodes: tuple[NumaNode, ...] | None = None
    architecture: str | None = None

    @property
    def free(self) -> int:
        """Cards that nobody has."""
        known = sum(card.is_taken for card in self.cards)
        return len(self.cards) - max(known, self.cards_taken)

    def emptied(self) -> HostFacts:
        """The same host in service and without any instance."""
        inventories = {name: replace(item, used=0) for name, item in (self.inventories or {}).items()}
        cards = tuple(replace(card, is_taken=False, is_reserved=False) for card in self.cards)
        given = None if self.inventories is None else inventories
        return replace(self, service=None, inventories=given, cards=cards, cards_taken=0)


@dataclass(frozen=True)
class Request:
    """An instance that is to be made."""

    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    extra_specs: Mapping[str, str]
    properties: Mapping[str, str]
    """Of the image."""
    aliases: Sequence[Mapping[str, Any]] = ()
    """As nova-api reads them; empty where they are not known."""
    filters: tuple[str, ...] | None = None
    """Enabled scheduler filters; None where they are not known, then only Placement's work is judged."""
    in_placement: bool = False
    """Whether the scheduler asks Placement for cards."""
    project_id: str = ""

    @property
    def cards(self) -> dict[str, int]:
        """Number of cards by alias."""
        return alias_request.of_flavor(self.extra_specs)


@dataclass(frozen=True)
class Reason:
    """One thing that speaks against a host."""

    kind: Kind
    text: str


def reasons(host: HostFacts, request: Request) -> list[Reason]:
    """What speaks against a host, in the order of Kind; empty if nothing does."""
    found = [
        *_service(host),
        *_aggregates(host, request),
        *_architecture(host, request),
        *_traits(host, request),
        *_cards(host, request),
        *_numa(host, request),
        *_sizes(host, request),
    ]
    return sorted(found, key=lambda reason: list(Kind).index(reason.kind))


def why_none(hosts: Sequence[HostFacts], request: Request) -> Reason | None:
    """Why no host takes the instance, with one line for each; None if one takes it, or none is known.

    The kind is that of a host against which least speaks: it is what has to change.
    """
    found = {host.name: reasons(host, request) for host in hosts}
    if not found or not all(found.values()):
        return None
    fewest = min(map(len, found.values()))
    telling = (_telling(item) for item in found.values() if len(item) == fewest)
    nearest = min(telling, key=lambda reason: list(Kind).index(reason.kind))
    return Reason(nearest.kind, lines(hosts, request))


def _telling(found: Sequence[Reason]) -> Reason:
    """The first; but whoever has the cards of a host has their share of its memory and processors, too."""
    taken = [reason for reason in found if reason.kind is Kind.CARDS]
    return taken[0] if taken and found[0].kind is Kind.SIZE else found[0]


def require_room(hosts: Sequence[HostFacts], request: Request, causes: Mapping[Kind, str], what: str) -> None:
    """Reject the cloud if no host takes the instance, with a line for each.

    Raises:
        Rejected: none does; the cause is that of the host against which least speaks.
    """
    why = why_none(hosts, request)
    if why is not None:
        raise rejected(causes[why.kind], f"{what}\n{why.text}")


def lines(hosts: Sequence[HostFacts], request: Request) -> str:
    """One line for each host: what it has, and what speaks against it."""
    return "\n".join(f"{host.name}: {_shown(host)}; {_against(reasons(host, request))}" for host in hosts)


def _against(found: Sequence[Reason]) -> str:
    if not found:
        return "nothing that the suite sees speaks against it"
    return "against it: " + "; ".join(reason.text for reason in found)


def _shown(host: HostFacts) -> str:
    by_node = Counter(card.numa_node for card in host.cards if not card.is_taken)
    nodes = ", ".join(f"{count} on node {node}" for node, count in sorted(by_node.items(), key=str) if node is not None)
    words = [f"{host.free} of {len(host.cards)} cards free" + (f" ({nodes})" if nodes else "")]
    for name, unit in (("VCPU", "VCPU"), ("PCPU", "PCPU"), ("MEMORY_MB", "MB")):
        item = (host.inventories or {}).get(name)
        if item is not None:
            words.append(f"{max(item.free, 0)} of {item.capacity} {unit}")
    if host.service is not None and host.service.zone:
        words.append(f"zone {host.service.zone}")
    return ", ".join(words)


def _service(host: HostFacts) -> Iterator[Reason]:
    service = host.service
    if service is None:
        return
    if service.is_forced_down:
        yield Reason(Kind.SERVICE, "its nova-compute was forced down")
    elif not service.is_up:
        yield Reason(Kind.SERVICE, "its nova-compute does not report")
    elif not service.is_enabled:
        yield Reason(Kind.SERVICE, f"its nova-compute is disabled ({service.disabled_reason or 'no reason given'})")


def _aggregates(host: HostFacts, request: Request) -> Iterator[Reason]:
    if "AggregateInstanceExtraSpecsFilter" in (request.filters or ()):
        for key, wanted in request.extra_specs.items():
            name = key.removeprefix(AGGREGATE)
            if key != name and not _aggregate_has(host.aggregates, name, wanted):
                names = ", ".join(item.name for item in host.aggregates) or "none"
                yield Reason(Kind.AGGREGATE, f"no aggregate of it has {name}={wanted} (it is in {names})")
    if "AggregateMultiTenancyIsolation" in (request.filters or ()) and request.project_id:
        owners = {
            owner.strip()
            for item in host.aggregates
            for key, value in item.metadata.items()
            if key.startswith(TENANT)
            for owner in value.split(",")
        }
        if owners and request.project_id not in owners:
            yield Reason(Kind.TENANT, f"its aggregates are kept for other projects ({', '.join(sorted(owners))})")


def _aggregate_has(aggregates: Sequence[Aggregate], name: str, wanted: str) -> bool:
    """Whether one aggregate has the value; expressions with an operator are left to Nova."""
    if wanted.startswith(("<", "=", "s=", "s!", "s<", "s>", "!=", ">")):
        return True
    return any(wanted.strip() in _values(item.metadata.get(name, "")) for item in aggregates)


def _values(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _architecture(host: HostFacts, request: Request) -> Iterator[Reason]:
    wanted = request.properties.get("hw_architecture")
    if wanted and host.architecture and wanted.lower() != host.architecture.lower():
        yield Reason(Kind.ARCHITECTURE, f"it is {host.architecture}, the image is for {wanted}")
    hypervisor = request.properties.get("img_hv_type", "").lower()
    if hypervisor and hypervisor not in ("kvm", "qemu"):
        yield Reason(Kind.ARCHITECTURE, f"the image is for the hypervisor {hypervisor}")


def _traits(host: HostFacts, request: Request) -> Iterator[Reason]:
    if host.traits is None:
        return
    there = host.traits | frozenset(trait for card in host.cards for trait in card.traits)
    asked = required_traits(request.extra_specs, request.properties)
    lacking = [name for name, how in asked.items() if how == "required" and name not in there]
    unwanted = [name for name, how in asked.items() if how == "forbidden" and name in there]
    if lacking:
        yield Reason(Kind.TRAITS, f"it lacks the traits {', '.join(lacking)}")
    if unwanted:
        yield Reason(Kind.TRAITS, f"it has the forbidden traits {', '.join(unwanted)}")


def _fits(card: CardFacts, entry: Mapping[str, Any], in_placement: bool) -> bool:
    """Whether one line of an alias asks for a card."""
    kind = entry.get("device_type")
    wanted = entry.get("resource_class")
    ids = all(
        str(entry[key]).lower() == value.lower()
        for key, value in (("vendor_id", card.vendor_id), ("product_id", card.product_id))
        if key in entry
    )
    named = not (in_placement and wanted and card.resource_class) or normalized(str(wanted)) == card.resource_class
    return ids and named and (kind is None or kind == card.device_type)


def _wanted_cards(host: HostFacts, request: Request) -> Iterator[tuple[str, int, list[CardFacts]]]:
    """Each alias with its number and the cards of the host that it asks for, taken or not."""
    for name, count in request.cards.items():
        entries = [entry for entry in request.aliases if name_of(entry) == name]
        fitting = [card for card in host.cards if any(_fits(card, entry, request.in_placement) for entry in entries)]
        yield name, count, fitting if request.aliases else list(host.cards)


def _cards(host: HostFacts, request: Request) -> Iterator[Reason]:
    for name, count, fitting in _wanted_cards(host, request):
        usable = [card for card in fitting if not card.is_taken]
        reserved = [card for card in usable if card.is_reserved]
        if len(fitting) < count <= len(host.cards):
            kinds = sorted({f"{card.vendor_id}:{card.product_id} {card.device_type}" for card in host.cards})
            yield Reason(Kind.ALIAS, f"the alias {name} asks for none of its cards ({', '.join(kinds)})")
        elif len(host.cards) < count:
            yield Reason(Kind.CARDS, f"{count} cards are asked for, it has {len(host.cards)}")
        elif request.in_placement and len(usable) >= count > len(usable) - len(reserved):
            shown = ", ".join(card.address for card in reserved)
            yield Reason(Kind.RESERVED, f"Placement keeps {shown} reserved although nobody has it")
        elif min(host.free, len(usable)) < count:
            yield Reason(Kind.CARDS, f"{count} cards are asked for, {min(host.free, len(usable))} are free")


def _policy(request: Request) -> str:
    """The NUMA policy that counts: of flavor or image, else of the alias, else Nova's own."""
    asked = policy_of(request.extra_specs, request.properties)
    of_alias = [str(entry.get("numa_policy")) for entry in request.aliases if name_of(entry) in request.cards]
    known = [policy for policy in of_alias if policy != "None"]
    return asked or (known[0] if known else "legacy")


def _numa(host: HostFacts, request: Request) -> Iterator[Reason]:
    if not has_numa_topology(request.extra_specs, request.properties):
        return
    count = numa_node_count(request.extra_specs, request.properties)
    with_cpus = [node for node in host.nodes or () if node.cpus]
    if with_cpus:
        yield from _topology(with_cpus, request, count)
    policy = _policy(request)
    if policy == "preferred" or (policy == "socket" and len(with_cpus) > TWO_SOCKETS):
        return  # which nodes share a socket is not known
    for name, wanted, fitting in _wanted_cards(host, request):
        free = [card for card in fitting if not card.is_taken]
        if len(free) < wanted:
            continue  # said already
        by_node = Counter(card.numa_node for card in free)
        nowhere = by_node.pop(None, 0)
        best = sum(number for _, number in by_node.most_common(count))
        best += nowhere if policy == "legacy" else 0
        if best < wanted:
            shown = " and ".join(f"{number} on node {node}" for node, number in sorted(by_node.items(), key=str))
            where = f"{count} NUMA node{'s' if count > 1 else ''}"
            yield Reason(
                Kind.POLICY,
                f"the NUMA policy {policy} wants the {wanted} cards of {name} on {where}, free are {shown or 'none'}",
            )


def _topology(nodes: Sequence[NumaNode], request: Request, count: int) -> Iterator[Reason]:
    """Nova puts each node of an instance into one of the host, whatever may be given twice."""
    most = max(node.cpus for node in nodes)
    memory = [node.memory_mib for node in nodes if node.memory_mib is not None]
    vcpus, memory_mb = -(-request.vcpus // count), -(-request.memory_mb // count)
    if count > len(nodes):
        yield Reason(Kind.TOPOLOGY, f"{count} NUMA nodes are asked for, it has {len(nodes)}")
    elif vcpus > most:
        yield Reason(Kind.TOPOLOGY, f"{vcpus} processors are asked for on one NUMA node, it has {most} on a node")
    elif memory and memory_mb > max(memory):
        yield Reason(Kind.TOPOLOGY, f"{memory_mb} MB are asked for on one NUMA node, it has {max(memory)} on a node")


def _sizes(host: HostFacts, request: Request) -> Iterator[Reason]:
    for name, wanted in _resources(host, request).items():
        item = (host.inventories or {}).get(name)
        if item is None:
            continue
        least = min(item.free, item.max_unit if item.max_unit is not None else item.free)
        if least < wanted:
            yield Reason(Kind.SIZE, f"{wanted} {name} are asked for, {max(least, 0)} are there for one instance")


def _resources(host: HostFacts, request: Request) -> dict[str, int]:
    """Amount by resource class; resources:CLASS of the flavor wins, pinned processors are PCPU where there are any."""
    pinned = "dedicated" in (request.extra_specs.get("hw:cpu_policy"), request.properties.get("hw_cpu_policy"))
    cpus = "PCPU" if pinned and "PCPU" in (host.inventories or {}) else "VCPU"
    asked = {cpus: request.vcpus, "MEMORY_MB": request.memory_mb, "DISK_GB": request.disk_gb}
    own = {
        key.partition(":")[2]: int(value)
        for key, value in request.extra_specs.items()
        if key.startswith("resources:") and value.isdigit()
    }
    return {name: amount for name, amount in {**asked, **own}.items() if name in LEAST_FOR_A_GUEST}
