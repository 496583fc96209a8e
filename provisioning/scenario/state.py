"""The state of an instance and its cards: what Nova, the hypervisor and the guest's console show."""

from __future__ import annotations

from dataclasses import dataclass

from access.openstack_api import translated
from access.waiting import wait_for
from judging.device_views import Disagreement, Views
from probes import guest_console
from probes.guest_console import BootReport
from probes.openstack import console, nova_release
from provisioning.openstack import instances, resources
from provisioning.scenario.cloud_views import domains_of
from provisioning.scenario.own_resources import OwnResources

BOOT_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class InstanceState:
    """The state of an instance and its cards, from every side that the cloud shows."""

    id: str
    host: str
    status: str
    claimed: tuple[str, ...]
    """Addresses that Nova has claimed for it, as HOST ADDRESS; empty where the database is not shown."""
    attached: tuple[str, ...] | None
    """Addresses in its domains, as HOST ADDRESS; None where the hypervisor is not shown."""
    gpus: tuple[str, ...]
    """Product ids that the guest showed at its last boot."""
    boot_id: str
    views: Views
    """All sides at that moment."""

    @property
    def disagreements(self) -> tuple[Disagreement, ...]:
        """What two sides say differently of this instance; comparing is the judges' part."""
        return self.views.disagreements_of(self.id)


class InstanceStates(OwnResources):
    """Reads the state of instances."""

    def status(self, server_id: str) -> str:
        """Nova's status of an instance."""
        return str(instances.state_of(self.tenant, server_id).status)

    def host(self, server_id: str) -> str:
        """Short name of the host that an instance runs on; "" if on none."""
        return str(instances.state_of(self.admin, server_id).compute_host or "").split(".")[0]

    def zone_of(self, host: str) -> str:
        """Availability zone of a host's nova-compute."""
        return str(resources.compute_service(self.admin, host).availability_zone)

    def instances_on(self, host: str) -> list[str]:
        """Ids of all instances on a host."""
        return [ident for ident, location in self.views.read().instances.items() if location == host]

    def numa_nodes(self, server_id: str) -> set[int] | None:
        """Host NUMA nodes of an instance, as Nova placed it; None if the API does not tell (before 2.78)."""
        if nova_release.microversion(self.admin) < (2, 78):
            return None
        with translated(f"read the NUMA topology of {server_id}"):
            answer = self.admin.compute.get(f"/servers/{server_id}/topology", microversion="2.78").json()
        return {int(node["host_node"]) for node in answer["nodes"] if node.get("host_node") is not None}

    def state(self, server_id: str) -> InstanceState:
        """The state of an instance now."""
        seen = self.views.read()
        server = instances.state_of(self.admin, server_id)
        report = next(reversed(self._reports(server_id)), None) if server.compute_host else None
        claimed = [item for item in seen.claims or () if item.is_taken and item.instance_id == server_id]
        attached = [f"{host} {address}" for host, domain in domains_of(seen, server_id) for address in domain.addresses]
        return InstanceState(
            id=server_id,
            host=str(server.compute_host or "").split(".")[0],
            status=str(server.status),
            claimed=tuple(sorted(f"{item.host} {item.address}" for item in claimed)),
            attached=None if seen.domains is None else tuple(sorted(attached)),
            gpus=report.gpus if report else (),
            boot_id=report.boot_id if report else "",
            views=seen,
        )

    def first_boot(self, server_id: str) -> BootReport:
        """The first boot that the console still shows."""
        return self._reports(server_id)[0]

    def boot(self, server_id: str, *, after: str = "") -> BootReport:
        """The last boot that the guest reported on its console, other than `after`.

        Raises:
            WaitTimeout: the guest reports none.
        """
        found = wait_for(
            f"the boot report of {server_id} on its console",
            lambda: [item for item in self._reports(server_id) if item.boot_id != after][-1:],
            bool,
            timeout_s=BOOT_TIMEOUT_S,
            interval_s=0.4,
            describe=lambda reports: f"{len(reports)} reports",
        )
        return found[0]

    def _reports(self, server_id: str) -> tuple[BootReport, ...]:
        return guest_console.parse(console.read(self.tenant, server_id))
