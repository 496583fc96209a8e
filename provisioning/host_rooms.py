"""Gathers what is known of the GPU hosts' room: services, aggregates, Placement, cards. What is not seen stays out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from access import side_by_side
from access.errors import AcceptanceError, Blocked
from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.configuration import Configuration
from judging.nova_device_specs import class_of, taken_by
from judging.offers import Offers, device_type_of
from judging.room import CardFacts, HostFacts, Request
from probes import instance_log, numa_nodes, pci_devices
from probes.nova_log import LastWords
from probes.openstack import held_cards, images, nova, placement
from probes.openstack.placement import DeviceProvider, HostProviders
from probes.pci_devices import PciDevice
from provisioning.environment import Environment
from provisioning.hosts import Hosts, Machine
from provisioning.service_files import configuration

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class HostRooms:
    """Reads the GPU hosts of one cloud."""

    cloud: Cloud
    admin: Any
    hosts: Hosts
    deployer: Deployer
    offers: Offers

    def read(self) -> tuple[HostFacts, ...]:
        """All declared GPU hosts as they are now."""
        services = {
            service.host.split(".")[0]: service
            for service in _seen(lambda: nova.services(self.admin)) or ()
            if service.binary == "nova-compute"
        }
        aggregates = _seen(lambda: nova.aggregates(self.admin)) or ()
        taken: Counter[str] = Counter()
        for holder in _seen(lambda: held_cards.read(self.admin)) or ():
            taken[holder.host] += holder.cards
        names = [host.name for host in self._gpu_hosts]
        trees = _seen(lambda: placement.of_hosts(self.admin, names))

        def look(host: DeclaredHost) -> HostFacts:
            providers = _seen(lambda: trees.of(host.name)) if trees else None
            return self._host(host, services.get(host.name), aggregates, taken[host.name], providers)

        return tuple(side_by_side.each(look, self._gpu_hosts))

    def errors_about(self, instance_id: str) -> str:
        """A line for each GPU host whose nova-compute wrote an error about an instance; "" where none is seen."""
        said = side_by_side.each(lambda host: self._error_about(host, instance_id), self._gpu_hosts)
        found = zip(self._gpu_hosts, said, strict=True)
        return "\n".join(
            f"{host.name}: {words.text} ({words.source} of {words.date})" for host, words in found if words
        )

    def _error_about(self, host: DeclaredHost, instance_id: str) -> LastWords | None:
        service = self.deployer.service("nova-compute")
        return _seen(lambda: instance_log.read(self.hosts.node(host), service, instance_id))

    @property
    def _gpu_hosts(self) -> tuple[DeclaredHost, ...]:
        return tuple(host for host in self.cloud.computes if host.gpus)

    def _host(
        self,
        host: DeclaredHost,
        service: nova.ComputeService | None,
        aggregates: tuple[nova.Aggregate, ...],
        taken: int,
        providers: HostProviders | None,
    ) -> HostFacts:
        machine = _seen(lambda: self.hosts.node(host))
        devices = _seen(lambda: pci_devices.read(machine)) if machine else None
        return HostFacts(
            name=host.name,
            service=service,
            aggregates=tuple(item for item in aggregates if host.name in {name.split(".")[0] for name in item.hosts}),
            inventories=providers.inventories if providers else None,
            traits=providers.traits if providers else None,
            cards=self._cards(host, machine, devices, providers),
            cards_taken=taken,
            nodes=_seen(lambda: numa_nodes.read(machine)) if machine else None,
            architecture=_seen(lambda: machine.run("uname -m").stdout.strip() or None) if machine else None,
        )

    def _cards(
        self,
        host: DeclaredHost,
        machine: Machine | None,
        devices: tuple[PciDevice, ...] | None,
        providers: HostProviders | None,
    ) -> tuple[CardFacts, ...]:
        """Cards that device_spec gives; as many as declared where the host does not show them."""
        deployed = self.deployer.service("nova-compute")
        specs = _seen(lambda: configuration(machine, deployed).conf.device_specs) if machine else None
        if devices is None or not specs:
            declared = [(expected, self.cloud.gpu(expected.model)) for expected in host.gpus]
            return tuple(
                CardFacts(f"{number} of {gpu.model}", gpu.vendor_id, gpu.product_id, gpu.device_type, None)
                for expected, gpu in declared
                for number in range(expected.count)
            )
        given = [(device, taken_by(specs, device)) for device in devices if device.is_nvidia_gpu]
        rows = {row.address: row for row in self.offers.rows or () if row.host == host.name}
        known = {item.address: item for item in (providers.devices if providers else ())}
        return tuple(
            CardFacts(
                str(device.address),
                device.vendor_id,
                device.product_id,
                device_type_of(device),
                device.numa_node,
                class_of(spec, device),
                known[device.address].traits if device.address in known else frozenset(),
                device.address in rows and rows[device.address].is_taken,
                _is_kept_back(known.get(str(device.address))),
            )
            for device, spec in given
            if spec is not None
        )


def _is_kept_back(provider: DeviceProvider | None) -> bool:
    return provider is not None and any(item.reserved >= item.total > 0 for item in provider.inventories.values())


def _seen(look: Callable[[], Seen]) -> Seen | None:
    """What a look finds; None where it cannot be seen: that is no judgement."""
    try:
        return look()
    except (AcceptanceError, Blocked):
        return None


def request_of(
    cloud: Cloud, admin: Any, environment: Environment, flavor: str, scheduling: Configuration | None
) -> Request:
    """What an instance of a flavor of the cloud file asks for, as Nova has flavor and image now."""
    found = nova.flavor(admin, environment.flavor_ids[flavor])
    image = images.read(admin, environment.image_id) if environment.image_id else None
    conf = _seen(lambda: scheduling.conf) if scheduling else None
    return Request(
        name=found.name,
        vcpus=found.vcpus,
        memory_mb=found.ram_mb,
        disk_gb=found.disk_gb,
        extra_specs=found.extra_specs,
        properties=image.properties if image else {},
        aliases=conf.aliases if conf else (),
        filters=conf.filters if conf else None,
        in_placement=bool(conf and scheduling and scheduling.is_on("filter_scheduler", "pci_in_placement")),
        project_id=environment.project_id or "",
    )
