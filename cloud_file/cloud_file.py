"""The cloud file `clouds/NAME.yaml`: what is there, what we make in it, how we get in.

`load` reads and checks one file and reports every mistake at once, each with its line.
Secrets are named by reference (`{env: NAME}` or `{file: PATH}`), never written in the file.
"""

from __future__ import annotations

import datetime
import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, StringConstraints, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from access.endpoint import ExpandedPath, Port, SshEndpoint, _Section
from access.errors import CloudFileError, InputError
from cloud_file import kind_host as gpu_host
from cloud_file.thresholds import Threshold, Thresholds, threshold_mistakes, threshold_of
from probes.references import NVIDIA_VENDOR_ID

REPOSITORY = Path(__file__).resolve().parent.parent
CLOUDS_DIRECTORY = REPOSITORY / "clouds"
RELEASES_DIRECTORY = REPOSITORY / "provisioning" / "tripleo" / "releases"


HexId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{4}$")]
"""Four lower-case hex digits. In YAML always quoted: 1528 or 1e30 would become numbers."""
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
Positive = Annotated[int, Field(gt=0)]


class SecretReference(_Section):
    """Where a secret stands: an environment variable or a file that only its owner reads."""

    env: str | None = None
    file: ExpandedPath | None = None

    def read(self) -> str:
        """The secret, without the newline at its end.

        Raises:
            InputError: the variable is not set, or the file cannot be read.
        """
        if self.env is not None:
            value = os.environ.get(self.env)
            if not value:
                raise InputError(f"the environment variable {self.env} is not set", remedy=f"export {self.env}=…")
            return value
        if self.file is None:
            raise InputError("a secret names neither env nor file")
        try:
            return self.file.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise InputError(f"cannot read the secret in {self.file}: {error.strerror}") from error


class HostAccess(_Section):
    """How overcloud nodes are reached; their addresses come from the undercloud or from the host's entry."""

    user: str = "heat-admin"
    port: Port = 22
    key_file: ExpandedPath | None = None
    known_hosts: ExpandedPath | None = None
    via_undercloud: bool = False


class OpenStackAccess(_Section):
    """Administrator's access to the cloud: one of the two."""

    cloud: str | None = None
    """A name in the clouds.yaml of openstacksdk."""
    rc_file: str | None = None
    """An rc file on the undercloud, e.g. /home/stack/overcloudrc."""


class GpuModel(_Section):
    """One GPU model, as Nova selects it."""

    model: Name
    """Its name in probes/references, e.g. P100-PCIE-16GB."""
    vendor_id: HexId = NVIDIA_VENDOR_ID
    product_id: HexId
    device_type: Literal["type-PCI", "type-PF", "type-VF"]
    """type-PF when the card's firmware offers SR-IOV, otherwise type-PCI; P100: type-PCI.

    https://docs.openstack.org/nova/latest/admin/pci-passthrough.html
    """

    ecc: bool = True
    """Whether its memory must be protected, where the card can: `false` for cards that run without on purpose."""


class ExpectedGpus(_Section):
    """So many GPUs of one model."""

    model: Name
    count: Positive


class DeclaredHost(_Section):
    """A machine of the cloud and what should be in it."""

    name: Name
    role: str = "Host"
    """The TripleO role: Controller, Compute or one of your own; kind host needs none."""
    address: str | None = None
    """Known address; otherwise asked from the undercloud. For kind host also `localhost`: commands are run here."""
    gpus: tuple[ExpectedGpus, ...] = ()
    firmware: Literal["bios", "uefi"] | None = None
    cpu_vendor: Literal["intel", "amd"] | None = None

    @property
    def gpu_count(self) -> int:
        """GPUs of all models."""
        return sum(gpu.count for gpu in self.gpus)

    @property
    def is_compute(self) -> bool:
        """Whether instances run here: the role's name tells, as in Compute or ComputeGpu."""
        return self.role.startswith("Compute")

    @property
    def is_controller(self) -> bool:
        """Whether the OpenStack APIs run here."""
        return self.role.startswith("Controller")


class PciAlias(_Section):
    """A name by which a flavor asks for a device."""

    name: Name
    gpu: Name
    numa_policy: Literal["legacy", "required", "preferred", "socket"] | None = None


class Deploy(_Section):
    """The overcloud deploy on the undercloud."""

    stack: Name = "overcloud"
    templates: str = "/usr/share/openstack-tripleo-heat-templates"
    working_directory: str = "gpu-acceptance"
    """Where our files go on the undercloud, below the user's home when relative."""
    environment_files: tuple[str, ...] = ()
    """Your own environment files on the undercloud (networks, storage …), before ours."""
    roles_file: str | None = None
    timeout_min: Positive = 90
    puppet_modules: str | None = None
    """Directory on the undercloud with a puppet-nova that has the PCI fixes; only for releases that need it."""
    kernel_args: str | None = None
    """Kernel arguments beside those for the IOMMU."""
    scheduler_filters: tuple[str, ...] | None = None
    """Instead of the release's own list with the PCI and NUMA filters added."""
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    """More of parameter_defaults."""


class Registration(_Section):
    """Subscription of the image while it is customized."""

    organization: SecretReference | None = None
    activation_key: SecretReference | None = None
    user: SecretReference | None = None
    password: SecretReference | None = None
    pool: str | None = None


class Image(_Section):
    """The GPU image, made on the undercloud from a distribution's image."""

    name: Name
    base: str | None = None
    """qcow2 on the undercloud; without it the image must be in Glance already."""
    packages: tuple[str, ...] = ("gcc", "make", "pciutils", "wget")
    """Packages beside kernel-devel and kernel-headers, whose version follows the image's kernel."""
    registration: Registration | None = None
    repositories: tuple[str, ...] = ()
    ssh_user: str = "cloud-user"
    ssh_port: Port = 22
    properties: Mapping[str, str] = Field(default_factory=dict)
    timeout_min: Positive = 30


class Flavor(_Section):
    """A flavor that asks for cards by alias."""

    name: Name
    vcpus: Positive
    memory_mb: Positive
    disk_gb: Positive
    """Root disk. Nova refuses to boot an image on a flavor with none unless policy allows it."""
    aliases: Mapping[str, Positive]
    extra_specs: Mapping[str, str] = Field(default_factory=dict)
    public: bool = False

    @property
    def pci_alias(self) -> str:
        """The extra spec's value, e.g. `a1:2`."""
        return ",".join(f"{alias}:{count}" for alias, count in self.aliases.items())


class Quota(_Section):
    """What the tenant may use."""

    cores: Positive
    memory_mb: Positive
    instances: Positive


class Tenant(_Section):
    """Project and user that own the instances."""

    project: Name
    user: Name
    password: SecretReference | None = None
    """Without it one is made and kept in the run's directory, mode 0600."""
    domain: str = "Default"
    roles: tuple[str, ...] = ("member",)
    """Heat asks for `member`; clouds of the time call it `_member_`."""
    quota: Quota


class ExternalNetwork(_Section):
    """The provider network that floating IPs come from."""

    name: Name
    physical_network: str = "datacentre"
    network_type: Literal["flat", "vlan"] = "flat"
    segmentation_id: Positive | None = None
    cidr: str | None = None
    gateway: str | None = None
    pool: tuple[str, str] | None = None
    existing: bool = False
    """Take the network of that name as it is; nothing is made or removed."""


class TenantNetwork(_Section):
    """The network behind the router."""

    name: Name
    cidr: str = "192.168.177.0/24"
    dns: tuple[str, ...] = ()


class Networks(_Section):
    """Networks that the acceptance makes or uses."""

    external: ExternalNetwork
    tenant: TenantNetwork


SAMPLES = ("deviceQuery", "bandwidthTest", "p2pBandwidthLatencyTest", "simpleP2P", "matrixMul")


class Cuda(_Section):
    """What the guest installs."""

    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+$")]
    """Toolkit, e.g. "9.0"; the path follows from it: /usr/local/cuda-9.0."""
    packages: tuple[str, ...]
    """Pinned packages, e.g. cuda-9-0 and the driver's."""
    repository: str
    """URL of the package (.rpm, .deb) or .repo file that makes NVIDIA's repository known."""
    samples_archive: str | None = None
    """URL of a .tar.gz of the samples' source, for CUDA 11.6 and newer, whose toolkit brings none."""
    samples: tuple[str, ...] | None = None
    """Samples to build, by the names of their folders; what the CUDA suite needs where this is left out."""
    timeout_min: Positive = 30

    @property
    def sample_names(self) -> tuple[str, ...]:
        """Names without folders, which differ by version; bandwidthTest left the samples with CUDA 12.9."""
        if self.samples is not None:
            return tuple(sample.rsplit("/", 1)[-1] for sample in self.samples)
        major, minor = map(int, self.version.split("."))
        return SAMPLES if (major, minor) < (12, 9) else tuple(name for name in SAMPLES if name != "bandwidthTest")


class DeclaredGuest(_Section):
    """An instance that the tenant stack makes."""

    name: Name
    flavor: Name


class NovaPlaces(_Section):
    """Where Nova's services read their configuration, when it is not where the release has it."""

    api_conf: str | None = None
    compute_conf: str | None = None
    container_engine: Literal["docker", "podman"] | None = None
    """Nova's services run in containers that are called nova_api, nova_scheduler, nova_compute."""


class SlowerThanPast(_Section):
    """A run fails when a card is slower than its own past."""

    fail_below_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Tonight's figure by the median of the past; 0.95 fails what is more than five per cent slower."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.99
    """That no card is failed wrongly within `nights`, all cards and metrics together."""
    nights: Annotated[int, Field(ge=7, le=400)] = 14
    """How many nights back the past goes."""
    since: datetime.date | None = None
    """The past begins here, for instance after a new driver that is meant to be slower."""


class History(_Section):
    """Where runs are kept and what is made of them."""

    url: SecretReference | None = None
    """Reference to a database's URL; without it a SQLite file beside the runs."""
    slower_than_past: SlowerThanPast | None = None
    """Without it figures are kept and not judged by their past."""


class Cloud(_Section):
    """A whole cloud file."""

    name: Name
    kind: Literal["lab", "tripleo", "existing", "host"]
    prefix: Name = "gpuacc"
    """Every resource that we make starts with it; cleanup never touches anything else."""
    release: str | None = None
    """TripleO dialect, e.g. ocata: a file in provisioning/tripleo/releases."""
    undercloud: SshEndpoint | None = None
    overcloud_access: HostAccess = Field(
        default_factory=HostAccess, validation_alias=AliasChoices("overcloud_access", "access")
    )
    """Also written `access`: kind host has no overcloud."""
    openstack: OpenStackAccess = Field(default_factory=OpenStackAccess)
    hosts: tuple[DeclaredHost, ...]
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
    thresholds: Thresholds = Field(default_factory=dict)
    """By metric (docs/gpus.md): figures that differ from the reference data, with the reason."""
    bare_metal: str | None = None
    """A run of kind host on the same models, for the ratio: a run's directory or records, its id, or its cloud's name."""
    history: History = Field(default_factory=History)
    runs_directory: ExpandedPath | None = None
    lab_declaration: str | None = None
    """kind lab: another declaration than lab/lab.yaml."""
    lab_name: Name = "default"
    """kind lab: which of the labs that run side by side."""
    simulated: bool = False
    """Set for the embedded lab, never in a file of a real cloud."""

    @property
    def runs(self) -> Path:
        """Ledger, keys and credentials of this cloud."""
        return self.runs_directory or REPOSITORY / ".runs" / self.name

    @property
    def has_tripleo(self) -> bool:
        """Whether we deploy it from an undercloud."""
        return self.kind in ("lab", "tripleo")

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

    def prefixed(self, name: str) -> str:
        """A resource's name in the cloud."""
        return f"{self.prefix}-{name}"

    def with_lab_connection(self, connection: Mapping[str, Any]) -> Cloud:
        """The same cloud, reached as a running lab says (`python -m lab up --json`)."""
        key_file, known_hosts = Path(connection["ssh_key"]), Path(connection["known_hosts"])
        access = {"port": connection["ssh_port"], "key_file": key_file, "known_hosts": known_hosts}
        external = connection["external_network"]
        networks, image = self.networks, self.image
        if networks is not None:
            pool = external["pool"]
            pool = (pool["start"], pool["end"]) if isinstance(pool, Mapping) else tuple(pool)
            made = networks.external.model_copy(
                update={"cidr": external["cidr"], "gateway": external["gateway"], "pool": pool}
            )
            networks = networks.model_copy(update={"external": made})
        if image is not None:
            image = image.model_copy(update={"ssh_port": connection["ssh_port"]})
        return self.model_copy(
            update={
                "undercloud": SshEndpoint(address=connection["undercloud"], user=connection["ssh_user"], **access),
                "overcloud_access": self.overcloud_access.model_copy(update=access),
                "networks": networks,
                "image": image,
                "release": connection.get("release", self.release),
                "simulated": True,
            }
        )


def _by_name(entries: Sequence[Any], name: str, what: str) -> Any:
    for entry in entries:
        if entry.name == name:
            return entry
    raise InputError(f"no {what} {name!r} in the cloud file; there are: {', '.join(e.name for e in entries)}")


# -- reading ------------------------------------------------------------------------------------


def known_clouds(directory: Path = CLOUDS_DIRECTORY) -> list[str]:
    """Names that `--cloud` takes."""
    return sorted(path.stem for path in directory.glob("*.yaml"))


def load(name_or_path: str | Path, *, directory: Path = CLOUDS_DIRECTORY) -> Cloud:
    """Read a cloud file by name (`lab`) or by path (`./somewhere/mine.yaml`).

    Raises:
        InputError: there is no such cloud; the message lists the known ones.
        CloudFileError: the file cannot be used; the message lists every mistake with its line.
    """
    path = _path_of(str(name_or_path), directory)
    document = _document(path)
    plain = _plain(document)
    plain.setdefault("name", path.stem)
    mistakes: list[tuple[tuple[int | str, ...], str]] = []
    cloud = None
    try:
        cloud = Cloud.model_validate(gpu_host.completed(plain))
    except ValidationError as error:
        mistakes += [(tuple(each["loc"]), _words(each)) for each in error.errors()]
    named = {location for location, _ in mistakes}
    mistakes += [(loc, text) for loc, text in _contradictions(plain) if loc not in named]
    if mistakes or cloud is None:
        lines = sorted((_line_of(document, location), location, text) for location, text in mistakes)
        raise CloudFileError(
            "\n".join(
                [f"{path}: {len(lines)} mistake{'s' if len(lines) > 1 else ''} in the cloud file"]
                + [f"  line {line}: {_dotted(location)}: {text}" for line, location, text in lines]
            ),
            remedy="see the commented examples in clouds/",
        )
    return cloud


def _path_of(name: str, directory: Path) -> Path:
    path = Path(name) if "/" in name or name.endswith((".yaml", ".yml")) else directory / f"{name}.yaml"
    if path.is_file():
        return path
    known = known_clouds(directory)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise InputError(
        f"unknown cloud {name!r}; known clouds: {', '.join(known) or 'none'}",
        remedy=f"{hint}write {path} (the commented examples in {directory} show how)",
    )


def _document(path: Path) -> Any:
    try:
        document = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise CloudFileError(f"{path}: line {line}: not YAML: {error.problem or error.context}") from error
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        raise CloudFileError(f"{path}: cannot be read: {error}") from error
    if not isinstance(document, Mapping):
        raise CloudFileError(f"{path}: line 1: a cloud file is a mapping that starts with `kind:`")
    return document


def _plain(node: Any) -> Any:
    """ruamel's annotated containers and scalars as plain ones."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _line_of(document: Any, location: Sequence[int | str]) -> int:
    """The line, from 1, of the nearest thing in the file that a location names."""
    node: Any = document
    line = 1
    for step in location:
        try:
            position = node.lc.key(step) if hasattr(node, "keys") else node.lc.item(step)
            node = node[step]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
        line = position[0] + 1
    return line


def _dotted(location: Sequence[int | str]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.lstrip(".") or "cloud"


def _words(error: Any) -> str:
    """pydantic's message with what helps in a YAML file."""
    if error["type"] == "extra_forbidden":
        return "no such key"
    if error["type"] == "missing":
        return "is missing"
    message = str(error["msg"]).replace("Input should be", "should be")
    if error["type"] == "string_type" and isinstance(error["input"], int | float):
        return f"{message}; YAML reads {error['input']} as a number, so put it in quotes"
    if error["type"] == "string_pattern_mismatch":
        return f"{error['input']!r} does not fit the pattern {error['ctx']['pattern']}"
    return message


# -- what no single field can know ----------------------------------------------------------------

Mistake = tuple[tuple[int | str, ...], str]


def _contradictions(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    checks: tuple[Callable[[Mapping[str, Any]], Iterator[Mistake]], ...] = (
        _needs_of_kind,
        _release,
        _references,
        _duplicates,
        _secrets,
        _addresses,
        _room,
        gpu_host.mistakes,
        threshold_mistakes,
    )
    for check in checks:
        yield from check(raw)


NEEDS = {
    "lab": ("release", "gpus", "aliases", "image", "flavors", "tenant", "networks", "cuda", "guests"),
    "tripleo": ("undercloud", "release", "gpus", "aliases", "image", "flavors", "tenant", "networks", "cuda", "guests"),
    "existing": ("openstack", "gpus", "aliases", "image", "flavors", "tenant", "networks", "cuda", "guests"),
    "host": (),
}


def _needs_of_kind(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    kind = raw.get("kind")
    for key in NEEDS.get(kind, ()) if isinstance(kind, str) else ():
        if not raw.get(key):
            yield (key,), f"is needed for kind {kind}"
    access = raw.get("openstack")
    if isinstance(access, Mapping) and bool(access.get("cloud")) == bool(access.get("rc_file")):
        yield ("openstack",), "name either cloud (of clouds.yaml) or rc_file (on the undercloud)"
    if isinstance(access, Mapping) and access.get("rc_file") and kind == "existing" and not raw.get("undercloud"):
        yield ("openstack", "rc_file"), "lies on the undercloud, but no undercloud is given"
    if kind != gpu_host.KIND:
        for index, host in _entries(raw, "hosts"):
            if not host.get("role"):
                yield ("hosts", index), "needs a role"
    if raw.get("simulated") and kind != "lab":
        yield ("simulated",), "only the embedded lab is simulated"


def _release(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    release, known = raw.get("release"), sorted(path.stem for path in RELEASES_DIRECTORY.glob("*.yaml"))
    if release is not None and release not in known:
        yield ("release",), f"unknown release {release!r}; known: {', '.join(known)}"


def _references(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    models = {gpu.get("model") for _, gpu in _entries(raw, "gpus")}
    aliases = {alias.get("name") for _, alias in _entries(raw, "aliases")}
    flavors = {flavor.get("name") for _, flavor in _entries(raw, "flavors")}
    for index, host in _entries(raw, "hosts") if raw.get("kind") != gpu_host.KIND else ():
        for gpu_index, gpu in _entries(host, "gpus"):
            if gpu.get("model") not in models:
                yield ("hosts", index, "gpus", gpu_index, "model"), f"{gpu.get('model')!r} is not among gpus"
    for index, alias in _entries(raw, "aliases"):
        if alias.get("gpu") not in models:
            yield ("aliases", index, "gpu"), f"{alias.get('gpu')!r} is not among gpus"
    for index, flavor in _entries(raw, "flavors"):
        asked = flavor.get("aliases")
        for name in asked if isinstance(asked, Mapping) else ():
            if name not in aliases:
                yield ("flavors", index, "aliases", name), "no such alias under aliases"
    for index, guest in _entries(raw, "guests"):
        if guest.get("flavor") not in flavors:
            yield ("guests", index, "flavor"), f"{guest.get('flavor')!r} is not among flavors"


def _duplicates(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    for section, key in (
        ("hosts", "name"),
        ("gpus", "model"),
        ("aliases", "name"),
        ("flavors", "name"),
        ("guests", "name"),
    ):
        seen: set[Any] = set()
        for index, entry in _entries(raw, section):
            name = entry.get(key)
            if name in seen:
                yield (section, index, key), f"{name!r} is given twice"
            seen.add(name)


SECRET_KEY = re.compile(r"password|secret|token|activation_key", re.IGNORECASE)


def _secrets(raw: Any, location: tuple[int | str, ...] = ()) -> Iterator[Mistake]:
    """No secret stands in the file itself; `deploy.parameters` included."""
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            here = (*location, key)
            if SECRET_KEY.search(str(key)) and isinstance(value, str | int):
                yield here, "is a secret: name it by reference, {env: NAME} or {file: PATH}"
            elif SECRET_KEY.search(str(key)) and isinstance(value, Mapping) and set(value) <= {"env", "file"}:
                if len(value) != 1:
                    yield here, "name exactly one of env and file"
            else:
                yield from _secrets(value, here)
    elif isinstance(raw, list):
        for index, value in enumerate(raw):
            yield from _secrets(value, (*location, index))


def _addresses(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    networks = raw.get("networks")
    for side in ("external", "tenant"):
        network = networks.get(side) if isinstance(networks, Mapping) else None
        if not isinstance(network, Mapping) or not isinstance(network.get("cidr"), str):
            given = side == "external" and isinstance(network, Mapping) and not network.get("existing")
            if given and raw.get("kind") in ("tripleo", "existing"):
                yield ("networks", side), "needs cidr, gateway and pool, or existing: true"
            continue
        try:
            cidr = ipaddress.ip_network(network["cidr"])
        except ValueError as error:
            yield ("networks", side, "cidr"), str(error)
            continue
        pool = network.get("pool")
        for key, value in (
            ("gateway", network.get("gateway")),
            *(("pool", end) for end in (pool if isinstance(pool, list) else ())),
        ):
            if isinstance(value, str) and not _is_inside(value, cidr):
                yield ("networks", side, key), f"{value} is not an address in {cidr}"


def _is_inside(address: str, cidr: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(address) in cidr
    except ValueError:
        return False


def _room(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """The quota suffices for the guests, and some host has the cards that a flavor asks for."""
    flavors = {flavor.get("name"): (index, flavor) for index, flavor in _entries(raw, "flavors")}
    tenant = raw.get("tenant")
    quota = tenant.get("quota") if isinstance(tenant, Mapping) else None
    if isinstance(quota, Mapping):
        wanted = [flavors[g.get("flavor")][1] for _, g in _entries(raw, "guests") if g.get("flavor") in flavors]
        for key, needed in (
            ("cores", sum(_number(flavor.get("vcpus")) for flavor in wanted)),
            ("memory_mb", sum(_number(flavor.get("memory_mb")) for flavor in wanted)),
            ("instances", len(wanted)),
        ):
            if isinstance(quota.get(key), int) and quota[key] < needed:
                yield ("tenant", "quota", key), f"{quota[key]} is less than the guests need: {needed}"
    cards = [sum(_number(gpu.get("count")) for _, gpu in _entries(host, "gpus")) for _, host in _entries(raw, "hosts")]
    for name, (index, flavor) in flavors.items():
        aliases = flavor.get("aliases")
        asked = sum(_number(count) for count in aliases.values()) if isinstance(aliases, Mapping) else 0
        if cards and asked > max(cards):
            yield (
                ("flavors", index, "aliases"),
                f"{name} asks for {asked} GPUs, no declared host has more than {max(cards)}",
            )


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _entries(raw: Mapping[str, Any], section: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    listed = raw.get(section)
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, Mapping):
            yield index, entry
