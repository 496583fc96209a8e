"""Operations on instances and their hosts, each up to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from access.errors import ProvisioningError, WaitTimeout
from access.host import output_of
from access.openstack_api import translated
from access.waiting import wait_for
from cloud_file.deployer import deployer_of
from probes.guest_console import BootReport
from provisioning.openstack import instances, resources
from provisioning.scenario.state import BOOT_TIMEOUT_S, InstanceStates

OFFLOAD_WAIT_S = 10.0
RESTART_TIMEOUT_S = 300.0


class Operations(InstanceStates):
    """Starts, stops, moves and deletes instances, and disturbs their hosts."""

    def run_action(self, what: str, server_id: str, *wanted: str, as_admin: bool = False, **arguments: Any) -> None:
        """Run an operation of openstacksdk to its end, e.g. `run_action("pause_server", id, "PAUSED")`."""
        connection = self.admin if as_admin else self.tenant
        operation = getattr(connection.compute, what)
        try:
            instances.carry_out(connection, server_id, what, lambda: operation(server_id, **arguments), *wanted)
        except ProvisioningError as error:
            error.cause = f"{what.replace('_server', '').replace('_', '-')}-failed"
            raise

    def request_action(self, what: str, server_id: str, *, as_admin: bool = False, **arguments: Any) -> None:
        """Request an operation without waiting for its end.

        Raises:
            ProvisioningError: the API refuses.
        """
        connection = self.admin if as_admin else self.tenant
        with translated(f"{what} the instance {server_id}"):
            getattr(connection.compute, what)(server_id, **arguments)

    def shelve(self, server_id: str) -> None:
        """Shelve an instance; Nova's image of it is recorded, so that it is removed, too."""
        image = f"{instances.state_of(self.tenant, server_id).name}-shelved"  # the name that nova-api chooses
        self.record("server-image", image)
        self.run_action("shelve_server", server_id, "SHELVED", "SHELVED_OFFLOADED")
        if self.status(server_id) == "SHELVED":
            self._wait_for_offload(server_id)

    def _wait_for_offload(self, server_id: str) -> None:
        """With the usual shelved_offload_time = 0 Nova frees the host right after; else the instance stays SHELVED."""
        with contextlib.suppress(WaitTimeout):
            instances.wait_for_status(self.tenant, server_id, "SHELVED_OFFLOADED", timeout_s=OFFLOAD_WAIT_S)

    def live_migrate(self, server_id: str) -> str:
        """Nova's reason for not live-migrating it; "" if it moved."""
        host = self.host(server_id)
        try:
            self.request_action("live_migrate_server", server_id, as_admin=True, host=None, block_migration="auto")
        except ProvisioningError as error:
            return str(error)
        instances.wait_for_status(self.tenant, server_id, "ACTIVE")
        if self.host(server_id) != host:
            return ""
        with translated("list migrations"):
            found = [item for item in self.admin.compute.migrations() if item.server_id == server_id]
        return f"the migration is in {found[0].status}" if found else "Nova made no migration"

    def evacuate(self, server_id: str) -> None:
        """Evacuate an instance and start it; since microversion 2.95 Nova leaves it stopped."""
        self.run_action("evacuate_server", server_id, "ACTIVE", "SHUTOFF", as_admin=True)
        if self.status(server_id) == "SHUTOFF":
            self.run_action("start_server", server_id, "ACTIVE")

    def restart_nova_compute(self, host: str) -> None:
        """Restart nova-compute of a host and wait until it reports again."""
        declared = next(item for item in self.cloud.computes if item.name == host)
        before = resources.compute_service(self.admin, host).updated_at
        command = deployer_of(self.cloud).service("nova-compute").restart
        output_of(self.hosts.node(declared), command, timeout_s=RESTART_TIMEOUT_S, as_root=True)
        wait_for(
            f"nova-compute of {host}",
            lambda: resources.compute_service(self.admin, host),
            lambda service: service.updated_at != before and (service.state == "up" or service.is_forced_down),
            timeout_s=BOOT_TIMEOUT_S,
            interval_s=0.3,
            describe=lambda service: f"{service.state}, {service.updated_at}",
        )

    @contextlib.contextmanager
    def forced_down(self, host: str) -> Iterator[None]:
        """Nova treats the host as dead while the block runs; then its nova-compute is restarted, as after a crash.

        It is restarted before the host counts as up again: at its start it destroys guests that were evacuated.
        """
        self.record("forced-down", host)
        service = resources.compute_service(self.admin, host)
        with translated(f"force {host} down"):
            self.admin.compute.update_service_forced_down(service, service.host, service.binary, True)
        try:
            yield
        finally:
            self.restart_nova_compute(host)
            resources.remove(self.admin, "forced-down", host)

    def boot_after(self, server_id: str, do: Callable[[], None]) -> BootReport:
        """Do something that boots an instance without a console; returns what the guest showed then."""
        do()
        return self.boot(server_id)

    def reboots(self, server_id: str, do: Callable[[], None]) -> BootReport:
        """Do something that boots the guest again; returns what the guest showed then."""
        before = self.boot(server_id).boot_id
        do()
        return self.boot(server_id, after=before)

    def delete(self, server_id: str) -> None:
        """Delete an instance and wait until it is gone."""
        with translated(f"delete the instance {server_id}"):
            self.tenant.compute.delete_server(server_id)
        instances.wait_until_gone(self.tenant, server_id)
