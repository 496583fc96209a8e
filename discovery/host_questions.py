"""What is strange or missing at single hosts, as questions that stand in the cloud file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from discovery.cloud_facts import CloudFacts
from discovery.matching import Found, of_another_cloud


def is_seen(host: Found) -> bool:
    """Whether the host answered and was looked at."""
    return host.facts is not None and not host.facts.failure


def kind_of_failure(host: Found) -> str:
    """Why a host was not looked at, without its name and address."""
    if host.facts is None:
        return "no machine is known for it"
    # the same failure of many hosts differs in their names and addresses only
    said = host.facts.failure
    for part in (host.facts.machine.name, host.facts.machine.address):
        said = said.replace(part, "HOST")
    return said


def grouped(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Values by key, in the order of the first of each."""
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return list(found.items())


def questions_of(host: Found, cloud: CloudFacts) -> Iterator[str]:
    """What is strange about one machine that answers."""
    facts = host.facts
    if facts is None or facts.failure:
        return
    name = facts.machine.name
    if of_another_cloud(cloud, facts):
        yield f"{name}: its nova-compute is known to another Nova than this one: is it a host of another cloud?"
    elif cloud.hypervisors is not None and not host.is_compute and facts.present:
        yield f"{name} has {len(facts.present)} NVIDIA cards, and Nova knows no compute of that name: should it be one?"
    given = len(facts.given) if facts.given is not None else None
    if given is not None and 0 < given < len(facts.present):
        yield f"{name} has {len(facts.present)} cards, of which device_spec gives {given} away: is that meant?"
    if given == 0 and facts.present and host.is_compute:
        yield f"{name} has {len(facts.present)} cards, and device_spec there gives none away: is that meant?"
    if facts.virtual_functions:
        yield f"{name} shows {facts.virtual_functions} virtual functions of cards: only whole cards are declared here"
    for unread in facts.unread:
        yield f"{name}: not read: {unread}"
