"""`--every-card`: instances that together hold every card of every declared GPU host, in place of the declared ones.

Where each of them runs is Nova's choice. Since all of them are there at once, they hold all cards; the records tell
where each card is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from access.errors import InputError
from cloud_file.cloud import Cloud
from cloud_file.sections.hosts import DeclaredHost
from cloud_file.sections.tenant import DeclaredGuest, Flavor, Quota, Tenant

PREFIX = "every"


def every_card(cloud: Cloud) -> Cloud:
    """The cloud with one instance for each flavor's worth of cards of each GPU host.

    The largest flavors come first: who makes the instances in their order never takes a part of the room that a larger
    one needs.

    Raises:
        InputError: it is no cloud, or no flavor takes some card.
    """
    if not cloud.has_openstack:
        raise InputError("--every-card is for clouds: of a machine alone all declared cards are measured anyway")
    wanted = [flavor for host in cloud.gpu_hosts for flavor in _flavors_for(cloud, host)]
    wanted.sort(key=lambda flavor: (-_size(cloud, flavor), flavor.name))
    digits = len(str(len(wanted)))
    guests = tuple(
        DeclaredGuest(name=f"{PREFIX}-{number:0{digits}}", flavor=flavor.name)
        for number, flavor in enumerate(wanted, start=1)
    )
    return cloud.model_copy(update={"guests": guests, "tenant": _with_room(cloud, wanted)})


def _flavors_for(cloud: Cloud, host: DeclaredHost) -> Iterator[Flavor]:
    """Flavors that take all cards of a host, the largest that fit first."""
    left: Counter[str] = Counter()
    for expected in host.gpus:
        left[expected.model] += expected.count
    largest_first = sorted(cloud.flavors, key=lambda flavor: -_size(cloud, flavor))
    while left.total():
        fitting = next((flavor for flavor in largest_first if Counter() < _cards(cloud, flavor) <= left), None)
        if fitting is None:
            cards = ", ".join(f"{count} {model}" for model, count in sorted(left.items()) if count)
            raise InputError(
                f"--every-card: no flavor of the cloud file takes {cards} of {host.name}",
                remedy="add a flavor of one card of that model to `flavors`",
            )
        left -= _cards(cloud, fitting)
        yield fitting


def _cards(cloud: Cloud, flavor: Flavor) -> Counter[str]:
    return Counter({expected.model: expected.count for expected in cloud.gpus_of(flavor.name)})


def _size(cloud: Cloud, flavor: Flavor) -> int:
    return _cards(cloud, flavor).total()


def _with_room(cloud: Cloud, flavors: list[Flavor]) -> Tenant | None:
    """The tenant with a quota for all of them; what it declares is kept where it is more."""
    tenant = cloud.tenant
    if tenant is None or tenant.existing:
        return tenant
    declared = tenant.quota or Quota(cores=1, memory_mb=1, instances=1)
    quota = Quota(
        cores=max(declared.cores, sum(flavor.vcpus for flavor in flavors)),
        memory_mb=max(declared.memory_mb, sum(flavor.memory_mb for flavor in flavors)),
        instances=max(declared.instances, len(flavors)),
    )
    return tenant.model_copy(update={"quota": quota})
