"""Clouds as discovery sees them, made by hand for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from discovery.cloud_facts import CloudFacts, Hypervisor, ImageSummary
from discovery.draft import Seen
from discovery.host_facts import Card, HostFacts
from discovery.machines import Access, Machine
from discovery.matching import found_hosts
from probes.deployer_signs import Signs
from probes.openstack.nova import ComputeService, FlavorFacts

KOLLA = Signs(frozenset({"/etc/kolla/nova-compute", "/etc/kolla/nova-api"}), frozenset({"docker"}))
H100 = Card("2331", "type-PF")
ALIAS = {"name": "h100", "vendor_id": "10de", "product_id": "2331", "device_type": "type-PF"}


def service(binary: str, host: str) -> ComputeService:
    """One that is up."""
    return ComputeService(binary, host, is_up=True, is_enabled=True)


def hypervisor(number: int, name: str = "") -> Hypervisor:
    """gpu1 is at 192.0.2.21."""
    name = name or f"gpu{number}"
    return Hypervisor(f"{name}.example.com", name, f"192.0.2.{20 + number}", f"uuid-{number}")


def cloud(computes: int = 2, **changes: Any) -> CloudFacts:
    """A cloud of some computes and one controller in which everything is seen."""
    names = [f"gpu{number}" for number in range(1, computes + 1)]
    services = [service("nova-compute", name) for name in names]
    services += [service(binary, "control1") for binary in ("nova-scheduler", "nova-conductor")]
    found = CloudFacts(
        microversion=(2, 95),
        services=tuple(services),
        hypervisors=tuple(hypervisor(number) for number in range(1, computes + 1)),
        flavors=(FlavorFacts("g.8", 64, 524288, 60, False, {"pci_passthrough:alias": "h100:8"}),),
        images=(ImageSummary("rocky-9-gpu", "rocky-9-gpu", "rocky", "9", ""),),
        external_networks=("public",),
        used_ranges=("203.0.113.0/24",),
        roles=("admin", "member"),
        own_roles=("admin",),
        holders=(),
        api_services=frozenset({"compute", "orchestration"}),
    )
    return replace(found, **changes)


def gpu_host(number: int, cards: int = 8, **changes: Any) -> HostFacts:
    """A host that answers and gives all of its cards away."""
    name = f"gpu{number}"
    machine = Machine(name, f"192.0.2.{20 + number}", Access("root", 22))
    found = HostFacts(
        machine=machine,
        names=frozenset({name, f"{name}.example.com"}),
        addresses=frozenset({machine.address, "127.0.0.1"}),
        signs=KOLLA,
        present=(H100,) * cards,
        given=(H100,) * cards,
        firmware="uefi",
        cpu_vendor="amd",
        runs=frozenset({"nova-compute"}),
        aliases={"nova-compute": (ALIAS,)},
    )
    return replace(found, **changes)


def controller(**changes: Any) -> HostFacts:
    """The host of the APIs."""
    machine = Machine("control1", "192.0.2.11", Access("root", 22), frozenset({"control"}))
    found = HostFacts(
        machine=machine,
        names=frozenset({"control1"}),
        signs=KOLLA,
        runs=frozenset({"nova-api"}),
        aliases={"nova-api": (ALIAS,)},
    )
    return replace(found, **changes)


def unreachable(facts: HostFacts, why: str = "") -> HostFacts:
    """The same machine, which does not answer."""
    machine = facts.machine
    where = f"{machine.name} (root@{machine.address} port 22)"
    return HostFacts(machine, failure=why or f"cannot reach {where}: no answer in time")


def seen(facts: CloudFacts, *hosts: HostFacts, **changes: Any) -> Seen:
    """Everything together."""
    return replace(Seen("mine", facts, found_hosts(facts, hosts)), **changes)
