"""What one lifecycle test makes, does and gives back. Everything is in the ledger before it is made."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from openstack import exceptions as sdk

from access.errors import AuthenticationError, LedgerError, ProvisioningError, WaitTimeout
from access.openstack_api import translated
from access.waiting import wait_for
from cloud_file.cloud import Cloud
from judging.device_views import Disagreement
from probes import guest_console
from probes.guest_console import BootReport
from probes.openstack import nova_release
from provisioning.environment import Environment
from provisioning.hosts import Hosts
from provisioning.ledger import Entry, Ledger
from provisioning.openstack import instances, resources
from provisioning.scenario.cloud_views import CloudViews, domains_of, of_instance
from provisioning.tripleo.services import restart_nova_compute

NAME_MARK = "lc-"
BOOT_TIMEOUT_S = 300.0
OFFLOAD_WAIT_S = 10.0
AUDIT_TIMEOUT_S = 150.0
VCPUS, MEMORY_MB = 2, 2048


@dataclass(frozen=True)
class Standing:
    """Where an instance and its cards stand, from every side that the cloud shows."""

    host: str
    status: str
    claimed: tuple[str, ...]
    """Addresses that Nova has claimed for it, as HOST ADDRESS; empty where the database is not shown."""
    attached: tuple[str, ...]
    """Addresses in its domains, as HOST ADDRESS."""
    gpus: tuple[str, ...]
    """Product ids that the guest showed at its last boot."""
    boot_id: str
    disagreements: tuple[Disagreement, ...]


class Scenario:
    """Makes for one test, under names with its token."""

    def __init__(
        self,
        cloud: Cloud,
        environment: Environment,
        admin: Any,
        tenant: Any,
        views: CloudViews,
        hosts: Hosts,
        ledger: Ledger,
        token: str,
    ) -> None:
        self.cloud = cloud
        self.environment = environment
        self.admin = admin
        self.tenant = tenant
        self.views = views
        self.hosts = hosts
        self.ledger = ledger
        self.token = token
        self.made: list[tuple[str, str]] = []

    # ---- making

    def _name(self, kind: str) -> str:
        """The next name of this test, written into the ledger."""
        name = self.cloud.prefixed(f"{NAME_MARK}{self.token}-{kind}-{len(self.made)}")
        self._record(kind, name)
        return name

    def _record(self, kind: str, name: str) -> None:
        self.ledger.intend(kind, name)
        self.made.append((kind, name))

    def alias(self, number: int = 0) -> str:
        """Name of one of the cloud's PCI aliases."""
        return self.cloud.aliases[number % len(self.cloud.aliases)].name

    def flavor(
        self,
        cards: int | Mapping[str, int] = 0,
        *,
        vcpus: int = VCPUS,
        memory_mb: int = MEMORY_MB,
        extra_specs: Mapping[str, str] | None = None,
    ) -> str:
        """A small flavor with `cards` of the first alias, or with these aliases; private to the tenant."""
        aliases = {self.alias(): cards} if isinstance(cards, int) else dict(cards)
        specs = {**(extra_specs or {})}
        if any(aliases.values()):
            specs["pci_passthrough:alias"] = ",".join(f"{name}:{count}" for name, count in aliases.items() if count)
        disk_gb = min(flavor.disk_gb for flavor in self.cloud.flavors)
        name = self._name("test-flavor")
        with translated(f"make the flavor {name}"):
            made = self.admin.compute.create_flavor(
                name=name, vcpus=vcpus, ram=memory_mb, disk=disk_gb, is_public=False
            )
            if specs:
                self.admin.compute.create_flavor_extra_specs(made, specs)
            self.admin.compute.flavor_add_tenant_access(made, self.environment.project_id)
        return str(made.id)

    def request(
        self,
        flavor_id: str,
        *,
        image_id: str | None = None,
        user_data: str = guest_console.USER_DATA,
        connection: Any = None,
        **more: Any,
    ) -> str:
        """Ask for an instance as the tenant's user; returns its id at once.

        Raises:
            ProvisioningError: the API refuses.
        """
        name = self._name("server")
        return self._create(name, flavor_id, image_id, user_data, connection or self.tenant, more)

    def several(self, flavor_id: str, count: int, **more: Any) -> list[str]:
        """ACTIVE instances by one request: Nova places all of them at once, none finds its card taken by another.

        Raises:
            InstanceRefused: Nova put one into ERROR.
        """
        name = self._name("server")
        names = [name]
        if count > 1:  # then Nova numbers them
            names = [f"{name}-{number}" for number in range(1, count + 1)]
            for each in names:
                self._record("server", each)
        more |= {"min_count": count, "max_count": count}
        self._create(name, flavor_id, None, guest_console.USER_DATA, self.tenant, more)
        with translated(f"find the instances of {name}"):
            found = {server.name: str(server.id) for server in self.tenant.compute.servers(details=False, name=name)}
        missing = [each for each in names if each not in found]
        if missing:
            raise ProvisioningError(f"Nova made {sorted(found)} of {count} instances, not {', '.join(missing)}")
        for each in names:
            instances.wait_for_status(self.tenant, found[each], "ACTIVE")
        return [found[each] for each in names]

    def _create(
        self, name: str, flavor_id: str, image_id: str | None, user_data: str, connection: Any, more: dict[str, Any]
    ) -> str:
        with translated(f"create the instance {name}"):
            made = connection.compute.create_server(
                name=name,
                flavor_id=flavor_id,
                image_id=image_id or self.environment.image_id,
                networks=more.pop("networks", None) or [{"uuid": self._network()}],
                user_data=base64.b64encode(user_data.encode()).decode(),
                **more,
            )
        return str(made.id)

    def server(self, flavor_id: str, **more: Any) -> str:
        """An instance that is ACTIVE and has booted.

        Raises:
            InstanceRefused: Nova put it into ERROR.
        """
        server_id = self.request(flavor_id, **more)
        instances.wait_for_status(self.tenant, server_id, "ACTIVE")
        self.boot(server_id)
        return server_id

    def refusal(self, flavor_id: str, **more: Any) -> str:
        """Nova's reason for refusing an instance; "" when it does not refuse."""
        try:
            server_id = self.request(flavor_id, **more)
            instances.wait_for_status(self.tenant, server_id, "ACTIVE")
        except (ProvisioningError, AuthenticationError) as error:  # 403 is also Nova's answer to a quota or policy
            return str(error)
        return ""

    def _network(self) -> str:
        with translated("find the tenant's network"):
            found = self.tenant.network.find_network(self.cloud.prefixed("internal"), ignore_missing=True)
        if found is None:
            raise ProvisioningError("the tenant has no network of ours")
        return str(found.id)

    def network_id(self) -> str:
        """The tenant's network."""
        return self._network()

    def snapshot(self, server_id: str) -> str:
        """An image of an instance."""
        name = self._name("server-image")
        with translated(f"make the image {name}"):
            made = self.tenant.compute.create_server_image(server_id, name, wait=False)
        wait_for(
            f"the image {name}",
            lambda: self.tenant.image.get_image(made.id),
            lambda image: image.status == "active",
            timeout_s=BOOT_TIMEOUT_S,
            interval_s=0.2,
            describe=lambda image: image.status,
        )
        instances.wait_for_status(self.tenant, server_id, "ACTIVE", "SHUTOFF")
        return str(made.id)

    def empty_image(self, **properties: str) -> str:
        """An image with properties and nothing to boot: for what is decided before an image is read."""
        name = self._name("server-image")
        with translated(f"make the image {name}"):
            made = self.tenant.image.create_image(
                name=name, disk_format="raw", container_format="bare", data=bytes(1 << 20), validate_checksum=False,
                **properties,
            )  # fmt: skip
        return str(made.id)

    def aggregate(self, hosts: list[str], metadata: Mapping[str, str]) -> None:
        """A host aggregate of compute services."""
        name = self._name("aggregate")
        with translated(f"make the aggregate {name}"):
            made = self.admin.compute.create_aggregate(name=name)
            for host in hosts:
                self.admin.compute.add_host_to_aggregate(made, resources.compute_service(self.admin, host).host)
            self.admin.compute.set_aggregate_metadata(made, **metadata)

    def port_with_profile(self, profile: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """A port that the tenant's user asks for with a binding profile: the refusal ("" if none), what is stored."""
        name = self._name("port")
        try:
            made = self.tenant.network.create_port(
                network_id=self._network(), name=name, binding_vnic_type="normal", binding_profile=dict(profile)
            )
        except sdk.HttpException as error:
            return f"{error.status_code} {error}", {}
        with translated(f"read the port {name}"):
            return "", dict(self.admin.network.get_port(made.id).binding_profile or {})

    # ---- doing

    def act(self, what: str, server_id: str, *wanted: str, as_admin: bool = False, **arguments: Any) -> None:
        """Carry out an operation of openstacksdk, e.g. `act("pause_server", id, "PAUSED")`."""
        connection = self.admin if as_admin else self.tenant
        operation = getattr(connection.compute, what)
        try:
            instances.carry_out(connection, server_id, what, lambda: operation(server_id, **arguments), *wanted)
        except ProvisioningError as error:
            error.cause = f"{what.replace('_server', '').replace('_', '-')}-failed"
            raise

    def ask(self, what: str, server_id: str, *, as_admin: bool = False, **arguments: Any) -> None:
        """Ask for an operation and do not wait for its end.

        Raises:
            ProvisioningError: the API refuses.
        """
        connection = self.admin if as_admin else self.tenant
        with translated(f"{what} the instance {server_id}"):
            getattr(connection.compute, what)(server_id, **arguments)

    def shelve(self, server_id: str) -> None:
        """Shelve an instance; Nova's image of it is given back, too."""
        image = f"{instances.state_of(self.tenant, server_id).name}-shelved"  # the name that nova-api chooses
        self.ledger.intend("server-image", image)
        self.made.append(("server-image", image))
        self.act("shelve_server", server_id, "SHELVED", "SHELVED_OFFLOADED")
        if self.status(server_id) == "SHELVED":
            self._wait_for_offload(server_id)

    def _wait_for_offload(self, server_id: str) -> None:
        """With the usual shelved_offload_time = 0 the host is left right after; else it stays SHELVED."""
        with contextlib.suppress(WaitTimeout):
            instances.wait_for_status(self.tenant, server_id, "SHELVED_OFFLOADED", timeout_s=OFFLOAD_WAIT_S)

    def live_migrate(self, server_id: str) -> str:
        """Nova's reason for not moving it alive; "" when it moved."""
        host = self.host(server_id)
        try:
            self.ask("live_migrate_server", server_id, as_admin=True, host=None, block_migration="auto")
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
        self.act("evacuate_server", server_id, "ACTIVE", "SHUTOFF", as_admin=True)
        if self.status(server_id) == "SHUTOFF":
            self.act("start_server", server_id, "ACTIVE")

    def restart_nova_compute(self, host: str) -> None:
        """Restart nova-compute of a host and wait until it reports again."""
        declared = next(item for item in self.cloud.computes if item.name == host)
        before = resources.compute_service(self.admin, host).updated_at
        restart_nova_compute(self.hosts.node(declared), str(self.cloud.release) if self.cloud.release else None)
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
        """Nova takes the host for dead while the block runs; then its nova-compute starts anew, as after a crash.

        It starts before the host counts as up again: that is when it destroys guests that were evacuated from it.
        """
        self.ledger.intend("forced-down", host)
        self.made.append(("forced-down", host))
        service = resources.compute_service(self.admin, host)
        with translated(f"force {host} down"):
            self.admin.compute.update_service_forced_down(service, service.host, service.binary, True)
        try:
            yield
        finally:
            self.restart_nova_compute(host)
            resources.remove(self.admin, "forced-down", host)

    def first_boot(self, server_id: str) -> BootReport:
        """The first boot that the console still shows."""
        return self._reports(server_id)[0]

    def reboots_anew(self, server_id: str, do: Callable[[], None]) -> BootReport:
        """As `reboots`, for an instance that has no console before."""
        do()
        return self.boot(server_id)

    def reboots(self, server_id: str, do: Callable[[], None]) -> BootReport:
        """Do something that boots the guest again; returns what it showed then."""
        before = self.boot(server_id).boot_id
        do()
        return self.boot(server_id, after=before)

    def boot(self, server_id: str, *, after: str = "") -> BootReport:
        """The last boot that the guest reported on its console; another one than `after`.

        Raises:
            WaitTimeout: it reports none.
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
        with translated(f"read the console of {server_id}"):
            console = self.tenant.compute.get_server_console_output(server_id)
        return guest_console.parse(str(console.get("output") if isinstance(console, dict) else console))

    def delete(self, server_id: str) -> None:
        """Delete an instance and wait until it is gone."""
        with translated(f"delete the instance {server_id}"):
            self.tenant.compute.delete_server(server_id)
        instances.wait_until_gone(self.tenant, server_id)

    def status(self, server_id: str) -> str:
        """Nova's status of an instance."""
        return str(instances.state_of(self.tenant, server_id).status)

    def host(self, server_id: str) -> str:
        """Short name of the host that an instance runs on; "" when on none."""
        return str(instances.state_of(self.admin, server_id).compute_host or "").split(".")[0]

    def zone_of(self, host: str) -> str:
        """Availability zone of a host's nova-compute."""
        return str(resources.compute_service(self.admin, host).availability_zone)

    def instances_on(self, host: str) -> list[str]:
        """Ids of all instances on a host."""
        return [ident for ident, place in self.views.read().instances.items() if place == host]

    def numa_nodes(self, server_id: str) -> set[int] | None:
        """Host NUMA nodes of an instance, as Nova placed it; None where the API does not tell (before 2.78)."""
        if nova_release.microversion(self.admin) < (2, 78):
            return None
        with translated(f"read the NUMA topology of {server_id}"):
            answer = self.admin.compute.get(f"/servers/{server_id}/topology", microversion="2.78").json()
        return {int(node["host_node"]) for node in answer["nodes"] if node.get("host_node") is not None}

    def standing(self, server_id: str) -> Standing:
        """Where an instance stands now."""
        seen = self.views.read()
        server = instances.state_of(self.admin, server_id)
        report = next(reversed(self._reports(server_id)), None) if server.compute_host else None
        claimed = [item for item in seen.claims or () if item.is_taken and item.instance_id == server_id]
        return Standing(
            host=str(server.compute_host or "").split(".")[0],
            status=str(server.status),
            claimed=tuple(sorted(f"{item.host} {item.address}" for item in claimed)),
            attached=tuple(
                sorted(
                    f"{host} {address}" for host, domain in domains_of(seen, server_id) for address in domain.addresses
                )
            ),
            gpus=report.gpus if report else (),
            boot_id=report.boot_id if report else "",
            disagreements=of_instance(seen, server_id),
        )

    # ---- giving back

    def give_back(self) -> None:
        """Remove all that was made, instances first, and prove it gone.

        Raises:
            LedgerError: something is left; the ledger keeps it.
        """
        first, *others = resources.KINDS  # a host that is forced down keeps its instances from being deleted
        entries = {(entry.kind, entry.name): entry for entry in self.ledger.open_entries()}
        left = self._remove(first, entries, {})
        servers = self._delete_servers()
        left += [problem for kind in others for problem in self._remove(kind, entries, servers)]
        if left:
            raise LedgerError("not everything is gone:\n  " + "\n  ".join(left), remedy="--cleanup tries again")
        self.wait_until_free(*servers.values())

    def _remove(self, kind: str, entries: Mapping[tuple[str, str], Entry], deleted: Mapping[str, str]) -> list[str]:
        """Remove all of a kind; returns what is left, and why. `deleted`: ids of instances that are on their way out."""
        left = []
        for name in [name for made, name in self.made if made == kind]:
            try:
                if kind != "server":
                    resources.remove(self.admin, kind, name)
                elif name in deleted:
                    instances.wait_until_gone(self.admin, deleted[name], timeout_s=resources.GONE_TIMEOUT_S)
                self.ledger.gone(entries[kind, name])
            except ProvisioningError as error:
                left.append(f"{kind} {name}: {error}")
        return left

    def _delete_servers(self) -> dict[str, str]:
        """Ask for the deletion of all instances at once; returns their ids by name."""
        mine = {name for kind, name in self.made if kind == "server"}
        with translated("delete the instances of the test"):
            found = self.admin.compute.servers(details=False, all_projects=True) if mine else ()
            servers = [item for item in found if item.name in mine]
            for server in servers:
                self.admin.compute.delete_server(server, ignore_missing=True)
        return {str(server.name): str(server.id) for server in servers}

    def wait_until_free(self, *server_ids: str) -> None:
        """Until Nova has no card claimed for deleted instances.

        Nova frees the card of an instance that was moved since the last audit (update_resources_interval, a minute)
        with the next one only: until then the instance is not among those that the resource tracker follows.

        Raises:
            WaitTimeout: a card stays claimed.
        """

        def claimed() -> list[str]:
            claims = self.views.claims() or ()
            return [f"{item.host} {item.address}" for item in claims if item.instance_id in server_ids]

        wait_for("Nova to free the cards", claimed, lambda left: not left, timeout_s=AUDIT_TIMEOUT_S, interval_s=0.3)
