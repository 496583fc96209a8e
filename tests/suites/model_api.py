"""The model cloud as openstacksdk shows it: one connection for each user, with its real resources in the answers.

A method that the suites do not use is not there, so a new one fails loudly.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from model_cloud import (
    CORES,
    MEMORY_MB,
    Flavor,
    Instance,
    ModelCloud,
    Refused,
    as_http,
)
from openstack.compute.v2 import aggregate, flavor, hypervisor, migration, quota_set, server, server_action, service
from openstack.image.v2 import image
from openstack.network.v2 import network, port

from probes.guest_console import REBOOT_ONCE
from probes.references import NVIDIA_VENDOR_ID

COMPUTE = "nova-compute"


@contextmanager
def answered() -> Iterator[None]:
    """The model's refusals as the SDK's errors."""
    try:
        yield
    except Refused as refused:
        raise as_http(refused) from refused


class Compute:
    """`connection.compute` of one user."""

    def __init__(self, cloud: ModelCloud, who: str) -> None:
        self._cloud, self._who = cloud, who
        self._aggregates: list[aggregate.Aggregate] = []

    # --- flavors ---

    def create_flavor(self, *, name: str, vcpus: int, ram: int, disk: int, is_public: bool) -> flavor.Flavor:
        made = Flavor(self._cloud.new_id(), name, vcpus, ram)
        self._cloud.flavors[made.id] = made
        return self._flavor(made)

    def create_flavor_extra_specs(self, made: flavor.Flavor, specs: Mapping[str, str]) -> None:
        self._replace_flavor(made.id, specs={**self._cloud.flavors[made.id].specs, **specs})

    def flavor_add_tenant_access(self, made: flavor.Flavor, project: str) -> None:
        self._replace_flavor(made.id, projects=(*self._cloud.flavors[made.id].projects, project))

    def _replace_flavor(self, flavor_id: str, **changes: Any) -> None:
        known = self._cloud.flavors[flavor_id]
        self._cloud.flavors[flavor_id] = Flavor(**{**vars(known), **changes})

    def flavors(self) -> list[flavor.Flavor]:
        known = self._cloud.flavors.values()
        return [self._flavor(item) for item in known if self._cloud.may_use(self._who, item)]

    def find_flavor(self, name: str, *, ignore_missing: bool) -> flavor.Flavor | None:
        return next((self._flavor(item) for item in self._cloud.flavors.values() if item.name == name), None)

    def delete_flavor(self, known: flavor.Flavor | str) -> None:
        self._cloud.delete_flavor(self._cloud.flavors[_id_of(known)])

    def _flavor(self, known: Flavor) -> flavor.Flavor:
        return flavor.Flavor(
            id=known.id, name=known.name, vcpus=known.vcpus, ram=known.memory_mb, extra_specs=dict(known.specs)
        )

    # --- instances ---

    def create_server(
        self,
        *,
        name: str,
        flavor_id: str,
        image_id: str,
        networks: Any,
        user_data: str = "",
        availability_zone: str | None = None,
        min_count: int = 1,
        max_count: int = 1,
    ) -> server.Server:
        wanted = self._cloud.flavors[flavor_id]
        with answered():
            self._cloud.check_flavor(self._who, wanted)
            reboots = _decoded(user_data).endswith(REBOOT_ONCE)
            names = [name] if max_count == 1 else [f"{name}-{number}" for number in range(1, max_count + 1)]
            made = [
                self._cloud.create(self._who, each, wanted, image_id, availability_zone, reboots_itself=reboots)
                for each in names
            ]
        return self._server(made[0])

    def servers(self, *, details: bool = True, all_projects: bool = False, name: str = "") -> list[server.Server]:
        with answered():
            if all_projects:
                self._cloud.check_policy(self._who, "servers:detail:get_all_tenants")
        known = self._cloud.instances.values()
        mine = [item for item in known if self._cloud.owns(self._who, item) or all_projects]
        return [self._server(item) for item in mine if name in item.name]

    def get_server(self, server_id: str) -> server.Server:
        with answered():
            return self._server(self._instance(server_id))

    def delete_server(self, known: server.Server | str, *, ignore_missing: bool = True, force: bool = False) -> None:
        with answered():
            self._cloud.delete(self._instance(_id_of(known)))

    def _instance(self, server_id: str) -> Instance:
        found = self._cloud.instances.get(server_id)
        if found is None or not self._cloud.owns(self._who, found):
            raise Refused(404, f"Instance {server_id} could not be found.")
        return found

    def _server(self, known: Instance) -> server.Server:
        return server.Server(
            id=known.id,
            name=known.name,
            status=known.status,
            task_state=None,
            compute_host=f"{known.host}.localdomain" if known.host and self._who == "admin" else None,
            fault={"message": known.fault} if known.fault else None,
            flavor={"extra_specs": dict(known.flavor.specs)},
        )

    def get_server_console_output(self, server_id: str, length: int | None = None) -> dict[str, str]:
        with answered():
            known = self._instance(server_id)
        if known.reboots_itself and known.boots and known.status == "ACTIVE":
            known.reboots_itself = False
            output = _console(known)
            self._cloud.reboot_from_inside(known)
            return {"output": output}
        return {"output": _console(known)}

    def server_actions(self, server_id: str) -> list[server_action.ServerAction]:
        with answered():
            known = self._instance(server_id)
        return [server_action.ServerAction(request_id=word, message=text or None) for word, text in known.actions]

    def create_server_image(self, server_id: str, name: str, *, wait: bool) -> image.Image:
        with answered():
            self._instance(server_id)
        made = self._cloud.new_id()
        self._cloud.images[made] = {"name": name}
        return image.Image(id=made, name=name, status="active")

    # --- operations on instances ---

    def _act(self, server_id: str, operation: Callable[[Instance], None]) -> None:
        with answered():
            known = self._instance(server_id)
            self._cloud.act(known, lambda: operation(known))

    def reboot_server(self, server_id: str, *, reboot_type: str) -> None:
        self._act(server_id, self._cloud.reboot)

    def rebuild_server(self, server_id: str, *, image: str) -> None:
        self._act(server_id, self._cloud.rebuild)

    def pause_server(self, server_id: str) -> None:
        self._act(server_id, self._cloud.pause)

    def unpause_server(self, server_id: str) -> None:
        self._act(server_id, self._cloud.unpause)

    def stop_server(self, server_id: str) -> None:
        self._act(server_id, self._cloud.stop)

    def start_server(self, server_id: str) -> None:
        self._act(server_id, self._cloud.start)

    def suspend_server(self, server_id: str) -> None:
        self._act(server_id, self._cloud.suspend)

    def resume_server(self, server_id: str) -> None:
        self._act(server_id, self._cloud.resume)

    def resize_server(self, server_id: str, *, flavor: str) -> None:
        self._act(server_id, lambda known: self._cloud.resize(known, self._cloud.flavors[flavor]))

    def confirm_server_resize(self, server_id: str) -> None:
        self._act(server_id, self._cloud.confirm)

    def revert_server_resize(self, server_id: str) -> None:
        self._act(server_id, self._cloud.revert)

    def migrate_server(self, server_id: str) -> None:
        self._as_administrator("os-migrate-server:migrate", server_id, self._cloud.migrate)

    def live_migrate_server(self, server_id: str, *, host: str | None, block_migration: str) -> None:
        self._as_administrator("os-migrate-server:migrate_live", server_id, self._cloud.live_migrate)

    def evacuate_server(self, server_id: str) -> None:
        self._as_administrator("os-evacuate", server_id, self._cloud.evacuate)

    def shelve_server(self, server_id: str) -> None:
        self._act(server_id, self._cloud.shelve)

    def unshelve_server(self, server_id: str) -> None:
        self._act(server_id, self._cloud.unshelve)

    def _as_administrator(self, operation: str, server_id: str, act: Callable[[Instance], None]) -> None:
        with answered():
            self._cloud.check_policy(self._who, operation)
        self._act(server_id, act)

    # --- hosts ---

    def services(self, *, binary: str = "") -> list[service.Service]:
        with answered():
            self._cloud.check_policy(self._who, "os-services:list")
        return [self._service(host) for host in self._cloud.hosts]

    def _service(self, host: str) -> service.Service:
        return service.Service(
            host=f"{host}.localdomain",
            binary=COMPUTE,
            state="down" if host in self._cloud.forced_down else "up",
            status="enabled",
            is_forced_down=host in self._cloud.forced_down,
            availability_zone=self._cloud.zones[host],
            updated_at=f"start {self._cloud.starts[host]}",
        )

    def update_service_forced_down(self, known: service.Service, host: str, binary: str, forced: bool) -> None:
        short = host.split(".")[0]
        self._cloud.forced_down = self._cloud.forced_down - {short} | ({short} if forced else set())

    def hypervisors(self, *, details: bool) -> list[hypervisor.Hypervisor]:
        with answered():
            self._cloud.check_policy(self._who, "os-hypervisors:list-detail")
        return [hypervisor.Hypervisor(name=host) for host in self._cloud.hosts]

    def migrations(self) -> list[migration.Migration]:
        with answered():
            self._cloud.check_policy(self._who, "os-migrations:index")
        moving = [item for item in self._cloud.instances.values() if item.before]
        return [migration.Migration(uuid=i.migration, server_id=i.id, status="finished") for i in moving]

    def create_aggregate(self, *, name: str) -> aggregate.Aggregate:
        self._aggregates.append(aggregate.Aggregate(name=name, hosts=[]))
        return self._aggregates[-1]

    def aggregates(self) -> list[aggregate.Aggregate]:
        return self._aggregates

    def remove_host_from_aggregate(self, made: aggregate.Aggregate, host: str) -> None:
        made.hosts = [other for other in made.hosts if other != host]
        self._cloud.zones[host.split(".")[0]] = "nova"

    def delete_aggregate(self, made: aggregate.Aggregate) -> None:
        self._aggregates.remove(made)

    def add_host_to_aggregate(self, made: aggregate.Aggregate, host: str) -> None:
        made.hosts = [*made.hosts, host]

    def set_aggregate_metadata(self, made: aggregate.Aggregate, *, availability_zone: str) -> None:
        for host in made.hosts:
            self._cloud.zones[host.split(".")[0]] = availability_zone

    def get_quota_set(self, project_id: str) -> quota_set.QuotaSet:
        return quota_set.QuotaSet(cores=CORES, ram=-1, instances=-1)

    def get_endpoint_data(self) -> Any:
        return SimpleNamespace(max_microversion=self._cloud.microversion)

    def get(self, path: str, *, microversion: str) -> Any:
        known = self._instance(path.removeprefix("/servers/").removesuffix("/topology"))
        asks = int(known.flavor.specs.get("hw:numa_nodes", "0"))
        nodes = [self._cloud.node_of(known)] if asks == 1 else list(range(asks))
        return SimpleNamespace(json=lambda: {"nodes": [{"host_node": node} for node in nodes]})


def _id_of(known: Any) -> str:
    """Methods of the SDK take a resource or its id."""
    return known if isinstance(known, str) else str(known.id)


def _decoded(user_data: str) -> str:
    return base64.b64decode(user_data).decode()


def _console(known: Instance) -> str:
    lines = []
    for boot_id, products in known.boots:
        lines.append(f"GPUACC-BEGIN {boot_id}")
        lines += [
            f"GPUACC-PCI 0000:00:{6 + number:02x}.0 0x{NVIDIA_VENDOR_ID} 0x{product} 0x030200"
            for number, product in enumerate(products)
        ]
        lines.append(f"GPUACC-END {boot_id}")
    return "\n".join(lines)


class Images:
    """`connection.image`."""

    def __init__(self, cloud: ModelCloud) -> None:
        self._cloud = cloud

    def get_image(self, image_id: str) -> image.Image:
        return image.Image(id=image_id, status="active")

    def create_image(
        self,
        *,
        name: str,
        disk_format: str,
        container_format: str,
        data: bytes,
        validate_checksum: bool,
        **properties: str,
    ) -> image.Image:
        made = self._cloud.new_id()
        self._cloud.images[made] = {"name": name, **properties}
        return image.Image(id=made, name=name, status="active")

    def images(self, *, name: str) -> list[image.Image]:
        return [image.Image(id=ident) for ident, known in self._cloud.images.items() if known.get("name") == name]

    def delete_image(self, known: image.Image) -> None:
        del self._cloud.images[known.id]


class Networks:
    """`connection.network`."""

    def __init__(self, cloud: ModelCloud, who: str) -> None:
        self._cloud, self._who = cloud, who
        self._profile: dict[str, str] = {}

    def find_network(self, name: str, *, ignore_missing: bool) -> network.Network:
        return network.Network(id="network", name=name)

    def create_port(self, *, network_id: str, name: str, binding_vnic_type: str, binding_profile: Any) -> port.Port:
        with answered():
            stored = self._cloud.stored_profile(self._who, binding_profile)
        return port.Port(id="port", name=name, binding_profile=stored)

    def get_port(self, port_id: str) -> port.Port:
        return port.Port(id=port_id, binding_profile=self._profile)

    def ports(self, *, name: str) -> list[port.Port]:
        return []


class Placement:
    """`connection.placement`, by path."""

    def __init__(self, cloud: ModelCloud) -> None:
        self._cloud = cloud

    def get(self, path: str, *, microversion: str | None) -> Any:
        if not self._cloud.shows("placement"):
            return SimpleNamespace(ok=False, status_code=403, text="Forbidden")
        _, _, *words = path.split("/")
        host, what = (words[0], words[1]) if len(words) == 2 else ("", "")
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "": lambda: {"resource_providers": [{"name": f"{name}.localdomain", "uuid": name} for name in cloud.hosts]},
            "allocations": lambda: {"allocations": {who: {"resources": {"VCPU": 2}} for who in self._of(host)}},
            "inventories": lambda: {
                "inventories": {"MEMORY_MB": {"total": MEMORY_MB, "reserved": 0, "allocation_ratio": 1.0}}
            },
            "usages": lambda: {"usages": {"MEMORY_MB": MEMORY_MB - cloud.free_memory_mb(host)}},
        }
        cloud = self._cloud
        return SimpleNamespace(ok=True, json=answers[what])

    def _of(self, host: str) -> list[str]:
        return [consumer for where, consumer in self._cloud.allocations() if where == host]


class Connection:
    """A connection of `who`: admin, tenant or other."""

    def __init__(self, cloud: ModelCloud, who: str) -> None:
        self.compute = Compute(cloud, who)
        self.image = Images(cloud)
        self.network = Networks(cloud, who)
        self.placement = Placement(cloud)
