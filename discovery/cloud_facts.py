"""What the APIs of a cloud tell about it. What they refuse is kept with the right that is missing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import openstack
from openstack import exceptions as sdk

from access.errors import AuthenticationError, InputError, MeasurementError, ProvisioningError
from access.openstack_api import translated
from probes.alias_request import ALIAS
from probes.openstack import held_cards, nova, nova_release, placement
from probes.openstack.held_cards import Holder
from probes.openstack.nova import ComputeService, FlavorFacts
from probes.references import NVIDIA_VENDOR_ID

Seen = TypeVar("Seen")
CARD_CLASS = f"CUSTOM_PCI_{NVIDIA_VENDOR_ID}_".upper()
SHOWN_CLOUDS = 40
BARE_METAL = ("ironic",)
"""Kinds of hypervisors that are a server of Ironic each."""
VERSION = re.compile(r"[^0-9]{0,20}?([0-9]{1,4}(?:\.[0-9]{1,2})?)")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True)
class Hypervisor:
    """A compute as Nova has it."""

    name: str
    service_host: str
    """Name of its nova-compute; "" if Nova tells none."""
    address: str
    uuid: str

    @property
    def short_name(self) -> str:
        """As cloud files name it: up to the first dot."""
        return (self.service_host or self.name).split(".")[0]


@dataclass(frozen=True)
class ImageSummary:
    """An image that instances could boot from."""

    name: str
    reference: str
    """What a cloud file names it by: its id where the name has blanks and the like."""
    distribution: str
    version: str
    user: str
    """Who logs in, if the image says it; "" otherwise."""


@dataclass(frozen=True)
class CloudFacts:
    """What was seen; None for what was not."""

    microversion: tuple[int, int] | None = None
    services: tuple[ComputeService, ...] | None = None
    hypervisors: tuple[Hypervisor, ...] | None = None
    flavors: tuple[FlavorFacts, ...] | None = None
    """Those that ask for devices by alias."""
    images: tuple[ImageSummary, ...] | None = None
    external_networks: tuple[str, ...] | None = None
    used_ranges: tuple[str, ...] | None = None
    """Address ranges of all subnets."""
    roles: tuple[str, ...] | None = None
    own_roles: tuple[str, ...] | None = None
    holders: tuple[Holder, ...] | None = None
    """Instances that have cards now."""
    api_services: frozenset[str] | None = None
    """Types in the catalogue, e.g. orchestration."""
    questions: tuple[str, ...] = ()

    def controllers(self) -> frozenset[str]:
        """Short names of hosts on which Nova's scheduler or conductor runs."""
        central = ("nova-scheduler", "nova-conductor")
        return frozenset(each.host.split(".")[0] for each in self.services or () if each.binary in central)

    def computes(self) -> frozenset[str]:
        """Short names of hosts on which nova-compute runs, by Nova's own words."""
        known = {each.host.split(".")[0] for each in self.services or () if each.binary == "nova-compute"}
        return frozenset(known | {each.short_name for each in self.hypervisors or ()})


@dataclass
class _Reader:
    connection: Any
    questions: list[str] = field(default_factory=list)

    def see(self, what: str, right: str, read: Callable[[], Seen]) -> Seen | None:
        """What `read` gives; None, and a question, if it is refused or fails."""
        try:
            with translated(f"see {what}"):
                return read()
        except AuthenticationError:
            self.questions.append(f"{what}: not seen, this login lacks the right {right}; give it a role that has it?")
        except (MeasurementError, ProvisioningError) as error:
            said = str(error).splitlines()[0]
            self.questions.append(f"{what}: not seen: {said[:300]}")
        return None


def read(connection: Any) -> CloudFacts:
    """Everything that the APIs tell; only requests that read are made."""
    reader = _Reader(connection)
    see = reader.see
    compute, network = connection.compute, connection.network
    facts = CloudFacts(
        microversion=see("Nova's release", "to reach the compute API", lambda: nova_release.microversion(connection)),
        services=see("Nova's services", "os_compute_api:os-services:list", lambda: nova.services(connection)),
        hypervisors=see(
            "Nova's computes",
            "os_compute_api:os-hypervisors:list-detail",
            lambda: tuple(
                _hypervisor(each)
                for each in compute.hypervisors(details=True)
                if each.hypervisor_type not in BARE_METAL
            ),
        ),
        flavors=see(
            "flavors with an alias",
            "os_compute_api:os-flavor-extra-specs:index",
            lambda: tuple(_flavors(connection)),
        ),
        images=see("images", "get_images of Glance", lambda: tuple(_images(connection.image.images(status="active")))),
        external_networks=see(
            "external networks",
            "get_network of Neutron",
            lambda: tuple(sorted(_reference(each) for each in network.networks(is_router_external=True))),
        ),
        used_ranges=see(
            "subnets",
            "get_subnet of Neutron",
            lambda: tuple(sorted({str(each.cidr) for each in network.subnets() if each.cidr})),
        ),
        roles=see(
            "roles", "identity:list_roles", lambda: tuple(str(each.name) for each in connection.identity.roles())
        ),
        own_roles=see("the roles of this login", "to log in", lambda: _own_roles(connection)),
        holders=see(
            "instances with cards",
            "os_compute_api:servers:index:get_all_tenants",
            lambda: held_cards.read(connection),
        ),
        api_services=see("the catalogue", "identity:get_catalog", lambda: _catalogue(connection)),
    )
    return CloudFacts(**{**facts.__dict__, "questions": tuple(reader.questions)})


def cards_in_placement(connection: Any, hosts: Iterable[str]) -> dict[str, dict[str, int]]:
    """Cards by host and product id that Placement has; none where Nova does not report them there."""
    names = tuple(hosts)
    try:
        found = placement.of_hosts(connection, names).found if names else {}
    except (MeasurementError, ProvisioningError):
        found = {}
    return {name: _cards_of(found[name].totals) if name in found else {} for name in names}


def _cards_of(totals: Mapping[str, int]) -> dict[str, int]:
    found = {name.removeprefix(CARD_CLASS).lower(): total for name, total in totals.items()}
    return {product: total for product, total in found.items() if len(product) == 4 and total}


def _hypervisor(found: Any) -> Hypervisor:
    service = found.service_details or {}
    return Hypervisor(str(found.name or ""), str(service.get("host") or ""), str(found.host_ip or ""), str(found.id))


def _flavors(connection: Any) -> Iterable[FlavorFacts]:
    for each in connection.compute.flavors(details=True, is_public=None, get_extra_specs=True):
        specs = dict(each.extra_specs or {})
        if specs.get(ALIAS):
            yield FlavorFacts(each.name, each.vcpus, each.ram, each.disk, bool(each.is_public), specs)


DISTRIBUTIONS = ("rhel", "rocky", "almalinux", "centos", "fedora", "ubuntu", "debian", "oracle", "sles", "opensuse")


def _images(found: Iterable[Any]) -> Iterable[ImageSummary]:
    for each in found:
        properties = dict(each.properties or {})
        if properties.get("image_type") == "snapshot" or each.disk_format in ("aki", "ari", "iso"):
            continue
        name = str(each.name or "")
        distribution = str(each.os_distro or "").lower() or _distribution(name)
        version = str(each.os_version or "") or _version(name, distribution)
        yield ImageSummary(name, _reference(each), distribution, version, str(properties.get("os_admin_user") or ""))


def _reference(found: Any) -> str:
    """The name of a resource; its id where a cloud file takes no such name."""
    name = str(found.name or "")
    return name if NAME.fullmatch(name) else str(found.id)


def _distribution(name: str) -> str:
    """What a name like rhel-9.4-gpu tells; "" if nothing."""
    return next((each for each in DISTRIBUTIONS if each in name.lower()), "")


def _version(name: str, distribution: str) -> str:
    """The number behind the distribution's name: 9.4 of rhel-9.4-gpu; "" if there is none."""
    found = VERSION.match(name.lower().partition(distribution)[2]) if distribution else None
    return found[1] if found else ""


def _own_roles(connection: Any) -> tuple[str, ...]:
    session = connection.session
    return tuple(str(name) for name in session.auth.get_access(session).role_names)


def _catalogue(connection: Any) -> frozenset[str]:
    session = connection.session
    catalogue = session.auth.get_access(session).service_catalog.catalog
    return frozenset(str(entry.get("type")) for entry in catalogue)


def free_range(used: Iterable[str]) -> str:
    """A /24 for the tenant's network that overlaps with none that is used."""
    networks = []
    for each in used:
        try:
            networks.append(ipaddress.ip_network(each, strict=False))
        except ValueError:
            continue
    candidates = (
        ipaddress.ip_network(f"192.168.{number}.0/24") for number in (177, *range(178, 255), *range(100, 177))
    )
    return str(next((each for each in candidates if not _overlaps(each, networks)), "192.168.177.0/24"))


def _overlaps(network: Any, others: Iterable[Any]) -> bool:
    return any(network.version == other.version and network.overlaps(other) for other in others)


def chosen_cloud(wanted: str | None) -> str:
    """The name in clouds.yaml that is meant: the given one, OS_CLOUD, or the only one.

    Raises:
        InputError: there is no such name, or several and none was given; the message lists them.
    """
    try:
        names = sorted(openstack.config.OpenStackConfig(load_envvars=True).get_cloud_names())
    except sdk.SDKException as error:
        raise InputError(f"clouds.yaml cannot be used: {error}") from error
    names = [name for name in names if name not in ("envvars", "defaults")] or [*names]
    listed = ", ".join(names[:SHOWN_CLOUDS]) + (" …" if len(names) > SHOWN_CLOUDS else "")
    if not names:
        raise InputError(
            "there is no clouds.yaml with a cloud in it",
            remedy="write ~/.config/openstack/clouds.yaml, or name it by OS_CLIENT_CONFIG_FILE",
        )
    if wanted is None and len(names) > 1:
        raise InputError(f"clouds.yaml has {len(names)} clouds: {listed}", remedy="say which: --os-cloud NAME")
    if wanted is not None and wanted not in names:
        raise InputError(f"clouds.yaml has no cloud {wanted!r}; it has {listed}", remedy="--os-cloud NAME")
    return wanted or names[0]
