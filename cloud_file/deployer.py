"""The deployer of a cloud as data: what it calls things, where it keeps them, and how its services are restarted.

Each deployer is one file of `deployers/`; docs/contributing/deployer.md shows how to add one.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from access.data_files import read_data
from access.endpoint import Section
from access.errors import InputError
from cloud_file.cloud import Cloud

DIRECTORY = Path(__file__).parent / "deployers"
GENERIC = "generic"
"""The deployer of a cloud file that names none."""
TRIPLEO = "tripleo"
"""The deployer of a cloud file that names a release and no deployer."""
NOVA_CONF = "/etc/nova/nova.conf"
LATER_OPTIONS = ("device_spec", "report_in_placement")
"""Options of [pci] that came with Nova 26 (Zed): services of earlier releases ignore them."""

Engine = Literal["docker", "podman"]
ANCHORS = {
    "none": "systemctl show --property=MainPID --value {name}",
    "docker": "docker inspect --format '{{{{.State.Pid}}}}' {name}",
    "podman": "podman inspect --format '{{{{.State.Pid}}}}' {name}",
}
"""Commands that print the pid of a unit or container."""
Role = Literal["controller", "compute"]


@dataclass(frozen=True)
class Service:
    """One of Nova's services, as it runs on a host of this cloud."""

    service: str
    """Nova's own name, e.g. nova-compute."""
    name: str
    """Name of its systemd unit or container."""
    container_engine: Engine | None
    """None if it is a systemd unit of the host."""
    nova_conf: str
    """Its nova.conf on the host, or the directory of its snippets, which ends in a slash."""
    read_as: str
    """The same file or directory as the service itself sees it."""
    restart: str
    """Command that restarts it, as root."""
    anchor: str = ""
    """Command that prints the pid of its unit or container, as root; "" where only its process can be looked for."""
    enter: str = ""
    """What runs a command where the service is, for hosts that do not see its process: they reach its pod."""

    def shown(self, path: str) -> str:
        """A file that the service reads, as the operator knows it: by the path on the host of which it is a copy."""
        if path == self.read_as:
            return self.nova_conf
        inside = self.read_as.endswith("/") and path.startswith(self.read_as)
        return self.nova_conf + path.removeprefix(self.read_as) if inside else path


class DescribedService(Section):
    """What a deployer's file says of one service."""

    runs_on: Role
    nova_conf: str
    unit: str | None = None
    container: str | None = None
    read_as: str | None = None
    """Where the deployer's own `read_as` does not hold."""
    enter: str = ""
    restart: str | None = None
    """Where the deployer's own `restart` does not hold."""


class Settings(Section):
    """What the operator calls each setting, and how a change is applied."""

    aliases: str
    device_specs: str
    filters: str
    report_in_placement: str
    pci_in_placement: str
    pcie_ports: str
    reserved_memory: str
    kernel_arguments: str
    driver_blacklist: str = "blacklist the driver in /etc/modprobe.d"
    """What keeps a graphics driver of the host from the cards."""
    how_to_apply: str
    how_to_apply_to_kernel: str = "generate the boot loader's configuration again and reboot"
    """What brings kernel arguments into effect."""
    note_for_computes: str = ""
    """What else is needed to set aliases on computes."""


class Tripleo(Section):
    """What a TripleO deploy of this release takes."""

    kernel_arguments: Literal["first_boot", "role", "parameter"]
    filters: tuple[str, ...]
    """The release's own list with the PCI and NUMA filters added."""
    environment_files: tuple[str, ...] = ()
    """Those of the release's own templates that a GPU cloud needs, relative to them."""
    puppet_nova_needs_update: bool = False


class Deployer(Section):
    """What one deployer, or one release of it, calls things and where it keeps them."""

    name: str
    release: str = ""
    """"" if unknown."""
    signs: tuple[tuple[str, ...], ...] = ()
    """Files or directories of hosts that show it: all of one entry are there. Without any it is never recognised."""
    is_fallback: bool = False
    """Whether others use its packages: it is recognised only where no other one is."""
    container_engine: Engine | None
    restart: Mapping[Literal["none", "docker", "podman"], str]
    """Command by container engine; {unit} and {container} stand for the service's names."""
    services: Mapping[str, DescribedService]
    read_as: str = NOVA_CONF
    """nova.conf as the services see it."""
    settings: Settings
    pci_options: tuple[str, ...]
    """Options of [pci] that the services read."""
    tripleo: Tripleo | None = None

    @property
    def title(self) -> str:
        """For messages: the release if known."""
        return self.release or self.name

    def service(self, service: str) -> Service:
        """One service by Nova's name for it, e.g. nova-compute.

        Raises:
            InputError: the deployer's file does not describe it as this cloud runs it.
        """
        described = self.services.get(service)
        engine = self.container_engine
        name = (described.container if engine else described.unit) if described else None
        restart = (described.restart if described else None) or self.restart.get(engine or "none")
        if described is None or name is None or restart is None:
            raise InputError(f"the deployer {self.name} does not describe {service} under {engine or 'systemd'}")
        for placeholder, value in (("{unit}", described.unit), ("{container}", described.container)):
            restart = restart.replace(placeholder, value or name)
        return Service(
            service=service,
            name=name,
            container_engine=engine,
            nova_conf=described.nova_conf,
            read_as=described.read_as or self.read_as,
            restart=restart,
            anchor="" if described.enter else ANCHORS[engine or "none"].format(name=shlex.quote(name)),
            enter=described.enter,
        )

    def services_on(self, role: Role) -> tuple[Service, ...]:
        """Nova's services on controllers or computes."""
        return tuple(self.service(name) for name, described in self.services.items() if described.runs_on == role)


def known_deployers(directory: Path = DIRECTORY) -> list[str]:
    """Names that the key `deployer` of a cloud file takes."""
    return sorted(path.stem for path in directory.glob("*.yaml"))


def known_releases(deployer: str, directory: Path = DIRECTORY) -> list[str]:
    """Releases that a deployer's file describes one by one; empty if it makes no difference between them."""
    return list(read_data(directory / f"{deployer}.yaml").get("releases", {}))


def load_deployer(name: str, release: str = "", *, directory: Path = DIRECTORY) -> Deployer:
    """The deployer called `name`, as it is in one release.

    Raises:
        InputError: there is no such deployer or release, or its file cannot be used.
    """
    if name not in known_deployers(directory):
        raise InputError(f"unknown deployer {name!r}; known: {', '.join(known_deployers(directory))}")
    data = dict(read_data(directory / f"{name}.yaml"))
    releases = data.pop("releases", {})
    if releases and release not in releases:
        raise InputError(f"unknown release {release!r} of {data['name']}; known: {', '.join(releases)}")
    merged = _merged(data, releases.get(release) or {})
    try:
        return Deployer.model_validate({**merged, "release": release})
    except ValidationError as error:
        raise InputError(f"{directory / name}.yaml: {error}") from error


def recognised(paths: Collection[str], *, directory: Path = DIRECTORY) -> str | None:
    """The deployer whose signs are among the paths that are there; None if there is none, or more than one.

    Of several the one with the longest sign is meant: what builds on another deployer leaves more behind.
    """
    found: dict[str, tuple[bool, int]] = {}
    for name in known_deployers(directory):
        data = read_data(directory / f"{name}.yaml")
        seen = [len(sign) for sign in data.get("signs", ()) if set(sign) <= set(paths)]
        if seen:
            found[name] = (not data.get("is_fallback", False), max(seen))
    best = max(found.values(), default=None)
    names = [name for name, rank in found.items() if rank == best]
    return names[0] if len(names) == 1 else None


def all_signs(directory: Path = DIRECTORY) -> tuple[str, ...]:
    """Every path that is a sign of some deployer, or a part of one."""
    data = (read_data(directory / f"{name}.yaml") for name in known_deployers(directory))
    return tuple(sorted({path for each in data for sign in each.get("signs", ()) for path in sign}))


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`common` with the values of `own`; mappings are merged, everything else is replaced."""
    found = dict(common)
    for key, value in own.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = _merged(found[key], value) if both else value
    return found


def deployer_of(cloud: Cloud) -> Deployer:
    """The deployer of a cloud, with the locations that the cloud file gives itself."""
    name = cloud.deployer or (TRIPLEO if cloud.release else GENERIC)
    found, own = load_deployer(name, cloud.release or ""), cloud.nova
    conf = {"nova-api": own.api_conf, "nova-compute": own.compute_conf}
    services = {
        service: described.model_copy(update={"nova_conf": conf.get(service) or described.nova_conf})
        for service, described in found.services.items()
    }
    engine = own.container_engine or found.container_engine
    if own.container_engine and own.container_engine not in found.restart:
        raise InputError(f"{found.name} does not run Nova's services under {own.container_engine}")
    return found.model_copy(update={"services": services, "container_engine": engine})


def tripleo_of(deployer: Deployer) -> Tripleo:
    """What a TripleO deploy takes.

    Raises:
        InputError: the cloud has another deployer.
    """
    if deployer.tripleo is None:
        raise InputError(f"{deployer.name} does not deploy with TripleO's environment files")
    return deployer.tripleo
