"""Which machine is which of Nova's hosts: the same one may have a name in Nova and another one in the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from discovery.cloud_facts import CloudFacts, Hypervisor
from discovery.host_facts import HostFacts
from discovery.machines import Machine

CONTROLLER_WORDS = ("control",)
COMPUTE_WORDS = ("comput", "gpu", "hypervisor")
"""In names of an inventory's groups."""
UNGROUPED = {"all", "ungrouped"}


@dataclass(frozen=True)
class Found:
    """One host of the cloud."""

    name: str
    """As Nova calls it, up to the first dot; as its source does where Nova does not know it."""
    is_compute: bool
    is_controller: bool
    facts: HostFacts | None
    """None if no machine is known for it."""

    @property
    def address(self) -> str | None:
        """Where it is reached, if that is known."""
        return self.facts.machine.address if self.facts else None


def machine_of(hypervisor: Hypervisor, looked: Iterable[HostFacts]) -> HostFacts | None:
    """The machine that is a compute of Nova's: by the id of both, by name, by what it calls itself, by address."""
    known = list(looked)
    names = {hypervisor.name.lower(), hypervisor.service_host.lower(), hypervisor.short_name.lower()} - {""}
    rules = (
        lambda facts: bool(facts.compute_id) and facts.compute_id == hypervisor.uuid,
        lambda facts: facts.machine.name.lower() in names or facts.machine.short_name in names,
        lambda facts: bool(names & facts.names),
        lambda facts: hypervisor.address in facts.addresses - LOOPBACK or hypervisor.address == facts.machine.address,
    )
    return next((facts for rule in rules for facts in known if rule(facts)), None)


LOOPBACK = frozenset(("127.0.0.1", "::1", ""))


def unknown_computes(cloud: CloudFacts, looked: Sequence[HostFacts]) -> tuple[Machine, ...]:
    """Computes of Nova for which no machine was named: Nova's own address of each is the next one to try."""
    missing = [each for each in cloud.hypervisors or () if machine_of(each, looked) is None]
    return tuple(Machine(each.short_name, each.address or each.name) for each in missing)


def unknown_controllers(cloud: CloudFacts, looked: Sequence[HostFacts]) -> tuple[Machine, ...]:
    """Hosts of Nova's scheduler and conductor for which no machine was named; their names may be known to DNS."""
    called = {name for facts in looked for name in (facts.machine.short_name, *facts.names)}
    missing = sorted(name for name in cloud.controllers() if name.lower() not in called)
    return tuple(Machine(name, name) for name in missing)


def found_hosts(cloud: CloudFacts, looked: Sequence[HostFacts]) -> tuple[Found, ...]:
    """All hosts that Nova knows or that show Nova's services, controllers first."""
    by_machine: set[str] = set()
    matched: set[str] = set()  # what the machines of Nova's computes call themselves: an inventory may name one twice
    hosts: list[Found] = []
    controllers = {name.lower() for name in cloud.controllers()}
    for hypervisor in sorted(cloud.hypervisors or (), key=lambda each: natural(each.short_name)):
        facts = machine_of(hypervisor, looked)
        if facts is not None:
            by_machine.add(facts.machine.name)
            matched |= _own_names(facts)
        name = hypervisor.short_name
        hosts.append(Found(name, True, name.lower() in controllers or _shows_api(facts), facts))
    for facts in looked:
        if facts.machine.name in by_machine or _own_names(facts) & matched:
            continue
        name = next((each for each in cloud.controllers() if _is_called(facts, each)), facts.machine.name.split(".")[0])
        is_controller = name.lower() in controllers or _shows_api(facts) or (cloud.services is None and _named(facts))
        is_compute = cloud.hypervisors is None and _looks_like_a_compute(facts)
        hosts.append(Found(name, is_compute, is_controller, facts))
    return tuple(sorted(hosts, key=lambda host: (not host.is_controller or host.is_compute, natural(host.name))))


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key in which gpu10 comes after gpu9."""
    parts: list[tuple[int, int, str]] = []
    digits, letters = "", ""
    for character in name + "\0":
        if character.isdigit():
            parts += [(0, 0, letters)] if letters else []
            digits, letters = digits + character, ""
        else:
            parts += [(1, int(digits), "")] if digits else []
            digits, letters = "", letters + character
    return [*parts, (0, 0, letters)]


def _own_names(facts: HostFacts) -> set[str]:
    return {name for name in facts.names if not name.startswith("localhost")}


def _looks_like_a_compute(facts: HostFacts) -> bool:
    """With no word from Nova: by its processes and cards, or by its groups where it does not answer."""
    if not facts.failure:
        return bool(facts.present) or "nova-compute" in facts.runs
    groups = facts.machine.groups - UNGROUPED
    return not groups or any(word in group.lower() for group in groups for word in COMPUTE_WORDS)


def _shows_api(facts: HostFacts | None) -> bool:
    return facts is not None and "nova-api" in facts.runs


def _is_called(facts: HostFacts, name: str) -> bool:
    return name.lower() in {facts.machine.short_name, facts.machine.name.lower(), *facts.names}


def _named(facts: HostFacts) -> bool:
    """Whether an inventory's groups make it a controller."""
    return any(word in group.lower() for group in facts.machine.groups for word in CONTROLLER_WORDS)


def of_another_cloud(cloud: CloudFacts, facts: HostFacts) -> bool:
    """Whether a machine's nova-compute has an id that Nova here does not know: it belongs to another Nova."""
    known = {each.uuid for each in cloud.hypervisors or ()}
    return bool(facts.compute_id) and bool(known) and facts.compute_id not in known
