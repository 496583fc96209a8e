"""Reads the four sides of every device. A side that this cloud does not show is kept with its reason and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from access import side_by_side
from access.errors import Blocked, MeasurementError
from access.openstack_api import translated
from cloud_file.cloud import Cloud
from cloud_file.deployer import deployer_of
from judging.device_views import Views
from probes import libvirt_domains, nova_process, pci_devices
from probes.libvirt_domains import Domain
from probes.openstack import pci_claims, placement
from probes.pci_devices import PciDevice
from provisioning.hosts import Hosts

Seen = TypeVar("Seen")
REMEDIES = {
    "devices": "give the suite SSH to the GPU hosts (overcloud_access, addresses of hosts)",
    "domains": "give the suite SSH and sudo for virsh on the GPU hosts (overcloud_access)",
    "claims": "give the suite SSH and sudo to a controller with nova-conductor or a mysql client (overcloud_access)",
    "allocations": "let the administrator's user read Placement",
}
PENDING = ("finished", "post-migrating", "migrating", "pre-migrating", "reverting", "confirming", "accepted", "running")
"""States of a migration that still holds an allocation."""


class CloudViews:
    """The four sides of one cloud."""

    def __init__(self, cloud: Cloud, admin: Any, hosts: Hosts) -> None:
        self.cloud = cloud
        self.admin = admin
        self.hosts = hosts
        self.hidden: dict[str, str] = {}
        """By side: why it cannot be seen, and what to do."""

    def read(self) -> Views:
        """All sides now."""
        instances = self._instances()
        migrations = self._migrations()
        allocated = self._side("allocations", lambda: placement.allocated(self.admin))
        return Views(
            devices=self._side("devices", lambda: self._of_hosts(pci_devices.read)),
            domains=self._side("domains", lambda: self._of_hosts(libvirt_domains.read)),
            claims=self.claims(),
            allocations=allocated.allocations if allocated else None,
            reported=allocated.reported if allocated else frozenset(),
            instances=instances,
            migrations=frozenset(migrations),
            moving=frozenset(migrations.values()),
        )

    def claims(self) -> tuple[pci_claims.PciClaim, ...] | None:
        """Nova's claims alone; None if this cloud does not show them."""
        return self._side("claims", self._claims)

    def _side(self, name: str, look: Callable[[], Seen]) -> Seen | None:
        try:
            return look()
        except (MeasurementError, Blocked) as error:
            self.hidden[name] = f"{error}; {REMEDIES[name]}"
            return None

    def _of_hosts(self, read: Callable[[Any], Seen]) -> Mapping[str, Seen]:
        hosts = [host for host in self.cloud.computes if host.gpus]
        found = side_by_side.each(lambda host: read(self.hosts.node(host)), hosts)
        return {host.name: seen for host, seen in zip(hosts, found, strict=True)}

    def _claims(self) -> tuple[pci_claims.PciClaim, ...]:
        conductor = deployer_of(self.cloud).service("nova-conductor")
        failures: list[MeasurementError] = []
        for controller in self.cloud.controllers:
            try:
                host = self.hosts.node(controller)
                found = nova_process.reach(host, conductor.service, anchor=conductor.anchor, enter=conductor.enter)
                return pci_claims.read(host, found[0], enter=found[1])
            except MeasurementError as error:
                failures.append(error)
        if failures:
            raise failures[0]
        raise Blocked("the cloud file declares no controller")

    def _instances(self) -> dict[str, str]:
        with translated("list all instances"):
            servers = list(self.admin.compute.servers(all_projects=True))
        hosts = {server.id: str(server.compute_host or "").split(".")[0] for server in servers}
        return {ident: host for ident, host in hosts.items() if host}

    def _migrations(self) -> dict[str, str]:
        """Instance by migration for each that is not confirmed or reverted."""
        with translated("list migrations"):
            found = list(self.admin.compute.migrations())
        return {str(item.uuid): str(item.server_id) for item in found if item.status in PENDING}


def domains_of(views: Views, server_id: str) -> tuple[tuple[str, Domain], ...]:
    """Host and domain of an instance; several if it is on several hosts."""
    return tuple(
        (host, domain)
        for host, domains in (views.domains or {}).items()
        for domain in domains
        if domain.uuid == server_id
    )


def numa_nodes(views: Views) -> dict[tuple[str, str], int | None]:
    """NUMA node by host and address of every NVIDIA GPU."""
    devices: Mapping[str, tuple[PciDevice, ...]] = views.devices or {}
    return {
        (host, item.address): item.numa_node for host, found in devices.items() for item in found if item.is_nvidia_gpu
    }
