"""A cloud file as data: everything that the other rooms ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field

from access.endpoint import ExpandedPath, Section, SshEndpoint
from access.errors import InputError
from cloud_file.sections.coverage import ExcusedCards
from cloud_file.sections.cuda import Cuda
from cloud_file.sections.defaults import Defaults
from cloud_file.sections.deployment import Deploy, NovaPlaces
from cloud_file.sections.history import History
from cloud_file.sections.hosts import DeclaredHost, ExpectedGpus, GpuModel, PciAlias
from cloud_file.sections.image import Image
from cloud_file.sections.networks import Networks
from cloud_file.sections.reaching import GuestAccess, HostAccess, OpenStackAccess
from cloud_file.sections.tenant import DeclaredGuest, Flavor, Tenant
from cloud_file.sections.values import Line, Name
from cloud_file.thresholds import Threshold, Thresholds, threshold_of
from cloud_file.work_folder import runs_folder
from probes import references


class Cloud(Section):
    """A whole cloud file."""

    name: Name
    kind: Literal["lab", "tripleo", "existing", "host"]
    prefix: Name = "gpuacc"
    """Every resource that we make starts with it; cleanup never touches anything else."""
    release: Line | None = None
    """OpenStack release, e.g. ocata. Without a deployer it is one of TripleO."""
    deployer: Line | None = None
    """What installed a cloud of kind existing or lab: a file of cloud_file/deployers."""
    undercloud: SshEndpoint | None = None
    overcloud_access: HostAccess = Field(
        default_factory=HostAccess, validation_alias=AliasChoices("overcloud_access", "access")
    )
    """Also written `access`: kind host has no overcloud."""
    guest_access: GuestAccess = Field(default_factory=GuestAccess)
    """How instances are reached."""
    ssh_config: ExpandedPath | None = None
    """Read instead of ~/.ssh/config and /etc/ssh/ssh_config; `none`: no file is read. A lab reads none."""
    openstack: OpenStackAccess = Field(default_factory=OpenStackAccess)
    defaults: Defaults = Field(default_factory=Defaults, exclude=True)
    """What entries of hosts, guests and flavors share; they have it when the file is read."""
    hosts: Annotated[tuple[DeclaredHost, ...], Field(min_length=1)]
    gpus: tuple[GpuModel, ...] = ()
    """Kind host may leave out models of probes/references."""
    aliases: tuple[PciAlias, ...] = ()
    deploy: Deploy = Field(default_factory=Deploy)
    nova: NovaPlaces = Field(default_factory=NovaPlaces)
    image: Image | None = None
    flavors: tuple[Flavor, ...] = ()
    tenant: Tenant | None = None
    networks: Networks | None = None
    cuda: Cuda | None = None
    guests: tuple[DeclaredGuest, ...] = ()
    excused_cards: tuple[ExcusedCards, ...] = ()
    """Cards of the hosts that need not be measured, with the reason; without it all of them must be."""
    thresholds: Thresholds = Field(default_factory=dict)
    """By metric (docs/gpus.md): figures that differ from the reference data, with the reason."""
    bare_metal: Line | None = None
    """A run of kind host on the same models, for the ratio.

    A run's directory or records, its id, or its cloud's name.
    """
    history: History = Field(default_factory=History)
    runs_directory: ExpandedPath | None = None
    lab_declaration: Line | None = None
    """kind lab: another declaration than lab/lab.yaml."""
    lab_name: Name = "default"
    """kind lab: which of the labs that run side by side."""
    simulated: bool = False
    """Set for the embedded lab, never in a file of a real cloud."""

    @property
    def runs(self) -> Path:
        """Ledger, keys and credentials of this cloud."""
        return self.runs_directory or runs_folder() / self.name

    @property
    def has_tripleo(self) -> bool:
        """Whether we deploy it from an undercloud; a lab of another deployer comes deployed."""
        return self.kind == "tripleo" or (self.kind == "lab" and self.deployer in (None, "tripleo"))

    @property
    def has_openstack(self) -> bool:
        """Whether there is a cloud at all; kind host is a machine alone."""
        return self.kind != "host"

    @property
    def computes(self) -> tuple[DeclaredHost, ...]:
        """Declared hosts that run instances."""
        return tuple(host for host in self.hosts if host.is_compute)

    @property
    def controllers(self) -> tuple[DeclaredHost, ...]:
        """Declared hosts that run the APIs."""
        return tuple(host for host in self.hosts if host.is_controller)

    @property
    def gpu_hosts(self) -> tuple[DeclaredHost, ...]:
        """Declared hosts with at least one GPU."""
        return tuple(host for host in self.hosts if host.gpus)

    def host(self, name: str) -> DeclaredHost:
        """The declared host of that name."""
        found: DeclaredHost = _by_name(self.hosts, name, "host")
        return found

    def flavor(self, name: str) -> Flavor:
        """The flavor of that name, as the file writes it."""
        found: Flavor = _by_name(self.flavors, name, "flavor")
        return found

    def gpu(self, model: str) -> GpuModel:
        """The GPU model of that name."""
        return next(gpu for gpu in self.gpus if gpu.model == model)

    def reference(self, model: str) -> references.GpuModel | None:
        """What the reference data know of a GPU model, completed by the file's own facts; None if neither knows it."""
        known = references.gpu_models().get(model)
        declared = next((gpu for gpu in self.gpus if gpu.model == model), None)
        if declared is None or declared.facts is None:
            return known
        if known is not None:
            return declared.facts.completed(known)
        return declared.facts.described(model, declared.product_id, declared.device_type)

    def threshold(self, metric: str, model: str) -> Threshold | None:
        """The file's own figure of a metric for a GPU model."""
        return threshold_of(self.thresholds, metric, model)

    def gpus_of(self, flavor: str) -> tuple[ExpectedGpus, ...]:
        """The cards that an instance of a flavor gets; for kind host those of the host of that name."""
        if not self.has_openstack:
            return self.host(flavor).gpus
        aliases = {alias.name: alias.gpu for alias in self.aliases}
        counts: dict[str, int] = {}
        for alias, count in self.flavor(flavor).aliases.items():
            counts[aliases[alias]] = counts.get(aliases[alias], 0) + count
        return tuple(ExpectedGpus(model=model, count=count) for model, count in counts.items())

    @property
    def tenant_project(self) -> str:
        """The project's name in the cloud."""
        return self._of_tenant("project")

    @property
    def tenant_user(self) -> str:
        """The user's name in the cloud."""
        return self._of_tenant("user")

    def _of_tenant(self, key: str) -> str:
        if self.tenant is None:
            raise InputError("the cloud file describes no tenant")
        name: str = getattr(self.tenant, key)
        return name if self.tenant.existing else self.prefixed(name)

    @property
    def tenant_network(self) -> str:
        """Name of the instances' network in the cloud."""
        existing = self.networks is not None and self.networks.tenant.existing
        return self.networks.tenant.name if self.networks is not None and existing else self.prefixed("internal")

    @property
    def has_floating_ips(self) -> bool:
        """Whether instances are reached at floating IPs."""
        has_external = self.networks is not None and self.networks.external is not None
        return self.guest_access.address == "floating" or (self.guest_access.address is None and has_external)

    def prefixed(self, name: str) -> str:
        """A resource's name in the cloud."""
        return f"{self.prefix}-{name}"

    def with_lab_connection(self, connection: Mapping[str, Any]) -> Cloud:
        """The same cloud, reached as a running lab says (`python -m lab up --json`)."""
        key_file, known_hosts = Path(connection["ssh_key"]), Path(connection["known_hosts"])
        access = {"port": connection["ssh_port"], "key_file": key_file, "known_hosts": known_hosts}
        external = connection["external_network"]
        networks, image, hosts = self.networks, self.image, self.hosts
        if not self.has_tripleo:  # whose undercloud would tell the addresses
            hosts = tuple(host.model_copy(update={"address": connection["hosts"].get(host.name)}) for host in hosts)
        if networks is not None:
            pool = external["pool"]
            pool = (pool["start"], pool["end"]) if isinstance(pool, Mapping) else tuple(pool)
            update = {"cidr": external["cidr"], "gateway": external["gateway"], "pool": pool}
            made = networks.external.model_copy(update=update) if networks.external else None
            networks = networks.model_copy(update={"external": made})
        if image is not None:
            image = image.model_copy(update={"ssh_port": connection["ssh_port"]})
        return self.model_copy(
            update={
                "undercloud": SshEndpoint(address=connection["undercloud"], user=connection["ssh_user"], **access),
                "overcloud_access": self.overcloud_access.model_copy(update=access),
                "networks": networks,
                "image": image,
                "hosts": hosts,
                "release": connection.get("release", self.release),
                "simulated": True,
            }
        )


def _by_name(entries: Sequence[Any], name: str, what: str) -> Any:
    for entry in entries:
        if entry.name == name:
            return entry
    raise InputError(f"no {what} {name!r} in the cloud file; there are: {', '.join(e.name for e in entries)}")
