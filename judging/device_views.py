"""One device seen from four sides: the host's sysfs, the hypervisor, Nova's claims, Placement's allocations.

`None` for a side means that this cloud does not show it; such a side is never compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from probes.libvirt_domains import Domain
from probes.openstack.pci_claims import PciClaim
from probes.openstack.placement import Allocation
from probes.pci_address import PciAddress
from probes.pci_devices import PciDevice


@dataclass(frozen=True)
class Disagreement:
    """Two sides that say different things of one device or instance."""

    sides: str
    """Which comparison found it: devices, hypervisor, claims or placement."""
    host: str
    address: str | None
    instances: tuple[str, ...]
    text: str
    cause: str
    """Stable name of what is wrong: stale-row, gpu-not-offered, double-claim, claim-without-domain, orphan …"""

    def __str__(self) -> str:
        return f"{self.host}{' ' + self.address if self.address else ''}: {self.text}"


@dataclass(frozen=True)
class Views:
    """The four sides at one moment; hosts by short name."""

    devices: Mapping[str, tuple[PciDevice, ...]] | None
    domains: Mapping[str, tuple[Domain, ...]] | None
    claims: tuple[PciClaim, ...] | None
    allocations: tuple[Allocation, ...] | None
    reported: frozenset[tuple[str, str]]
    """Devices with a provider of their own in Placement."""
    instances: Mapping[str, str]
    """Host by id of every instance that Nova has on one."""
    migrations: frozenset[str]
    """Ids of migrations that wait to be confirmed or reverted."""
    moving: frozenset[str] = frozenset()
    """Instances of those migrations: their claims are on two hosts, or doubled on one."""

    def disagreements(self) -> tuple[Disagreement, ...]:
        """All that two visible sides say differently."""
        return (
            *self.devices_against_claims(),
            *self.devices_against_domains(),
            *self.domains_against_claims(),
            *self.claims_against_placement(),
        )

    def disagreements_of(self, server_id: str) -> tuple[Disagreement, ...]:
        """Those that an instance has a part in."""
        return tuple(item for item in self.disagreements() if server_id in item.instances)

    def devices_against_claims(self) -> Iterator[Disagreement]:
        """Rows without a device, and cards that Nova does not know."""
        if self.devices is None or self.claims is None:
            return
        rows = {(claim.host, claim.address): claim for claim in self.claims}
        for host, devices in self.devices.items():
            present = {device.address for device in devices}
            for (owner, address), claim in rows.items():
                if owner == host and address not in present:
                    text = f"Nova has a row ({claim.status}) for a device that the host has not: a stale row"
                    yield Disagreement("devices", host, address, _ids(claim.instance_id), text, "stale-row")
            for device in devices:
                if device.is_nvidia_gpu and (host, device.address) not in rows:
                    yield Disagreement(
                        "devices", host, device.address, (), "a GPU that Nova does not offer", "gpu-not-offered"
                    )

    def devices_against_domains(self) -> Iterator[Disagreement]:
        """Devices that two domains hold, and held devices that vfio does not have."""
        if self.domains is None:
            return
        for host, domains in self.domains.items():
            holders: dict[PciAddress, list[Domain]] = defaultdict(list)
            for domain in domains:
                for address in domain.addresses:
                    holders[address].append(domain)
            for address, found in holders.items():
                if len(found) > 1:
                    ids = tuple(domain.uuid for domain in found)
                    yield Disagreement(
                        "hypervisor",
                        host,
                        address,
                        ids,
                        f"a double claim: in the domains of {_and(ids)}",
                        "double-claim",
                    )
            yield from self._not_on_vfio(host, holders)

    def _not_on_vfio(self, host: str, holders: Mapping[PciAddress, list[Domain]]) -> Iterator[Disagreement]:
        if self.devices is None or host not in self.devices:
            return
        present: dict[str, PciDevice] = {device.address: device for device in self.devices[host]}
        for address, found in holders.items():
            open_in = tuple(domain.uuid for domain in found if domain.holds_devices)
            if not open_in:
                continue
            device = present.get(address)
            if device is None:
                yield Disagreement(
                    "hypervisor",
                    host,
                    address,
                    open_in,
                    "a domain has a device that the host has not",
                    "domain-with-a-missing-device",
                )
            elif not device.is_on_vfio:
                text = f"a running domain has it, but its driver on the host is {device.driver or 'none'}"
                yield Disagreement("hypervisor", host, address, open_in, text, "device-without-vfio")

    def domains_against_claims(self) -> Iterator[Disagreement]:
        """Each device in a domain is claimed for exactly that instance, each claim is in its domain."""
        if self.domains is None or self.claims is None:
            return
        claimed = {(claim.host, claim.address): claim for claim in self.claims if claim.is_taken}
        offered = {(claim.host, claim.address) for claim in self.claims}
        held = {
            (host, address): domain.uuid
            for host, domains in self.domains.items()
            for domain in domains
            for address in domain.addresses
        }
        for (host, address), uuid in held.items():
            claim = claimed.get((host, address))
            if (host, address) in offered and (claim is None or claim.instance_id != uuid):
                who = f"claimed for {claim.instance_id}" if claim else "available"
                ids = _ids(uuid, claim.instance_id if claim else None)
                yield Disagreement(
                    "claims",
                    host,
                    address,
                    ids,
                    f"in the domain of {uuid}, but Nova has it {who}",
                    "domain-without-claim",
                )
        for (host, address), claim in claimed.items():
            if host in self.domains and (host, address) not in held and claim.instance_id not in self.moving:
                known = claim.instance_id in self.instances
                why = "whose domain has it not" if known else "which does not exist: it stays claimed"
                text = f"Nova has it {claim.status} for {claim.instance_id}, {why}"
                yield Disagreement("claims", host, address, _ids(claim.instance_id), text, "card-stays-claimed")

    def claims_against_placement(self) -> Iterator[Disagreement]:
        """Each instance has its allocation where it runs, nobody else has one, and devices fit where reported."""
        if self.allocations is None:
            return
        consumers: dict[str, set[str]] = defaultdict(set)
        for allocation in self.allocations:
            consumers[allocation.consumer_id].add(allocation.host)
        for instance, host in self.instances.items():
            if host not in consumers.get(instance, set()):
                found = _and(tuple(sorted(consumers.get(instance, ())))) or "nowhere"
                text = f"the instance {instance} runs here, its allocation in Placement is {found}"
                yield Disagreement("placement", host, None, (instance,), text, "allocation-missing")
        for consumer, hosts in consumers.items():
            expected = {self.instances[consumer]} if consumer in self.instances else set()
            for host in sorted(hosts - expected):
                if consumer not in self.migrations and consumer not in self.moving:
                    text = f"Placement has an allocation of {consumer}, which has nothing here: an orphan"
                    yield Disagreement("placement", host, None, (consumer,), text, "orphaned-allocation")
        yield from self._reported_devices()

    def _reported_devices(self) -> Iterator[Disagreement]:
        allocated = {
            (item.host, item.address): item.consumer_id for item in self.allocations or () if item.address is not None
        }
        for claim in self.claims or ():
            key = (claim.host, claim.address)
            consumer = allocated.get(key)
            fits = consumer == (claim.instance_id if claim.is_taken else None) or consumer in self.migrations
            if key in self.reported and not fits:
                text = f"Nova has it {claim.status} for {claim.instance_id}, Placement for {consumer}"
                yield Disagreement(
                    "placement",
                    claim.host,
                    claim.address,
                    _ids(claim.instance_id, consumer),
                    text,
                    "placement-has-another-claim",
                )


def _ids(*candidates: str | None) -> tuple[str, ...]:
    return tuple(item for item in candidates if item)


def _and(words: tuple[str, ...]) -> str:
    return " and ".join(words)
