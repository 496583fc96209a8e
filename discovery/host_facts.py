"""What machines themselves tell: who they are, which deployer left its signs, their cards, what Nova reads there."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from access.endpoint import SshEndpoint
from access.errors import AcceptanceError, AuthenticationError, HostKeyError, LoginError, ParseError
from access.host import Host, output_of
from access.ssh import RemoteHost
from access.ssh_ways import SshWays
from cloud_file.cloud import Cloud
from cloud_file.deployer import all_signs, deployer_of
from discovery.machines import Machine
from judging.nova_device_specs import taken_by
from judging.offers import device_type_of
from probes import cpu_vendor, deployer_signs, firmware, nova_process, pci_devices
from probes.deployer_signs import Signs
from probes.nova_process import NovaProcess
from probes.pci_devices import PciDevice
from provisioning.reaching import ways_of
from provisioning.recognition import shown_by
from provisioning.service_files import configuration

AT_ONCE = 32
IDENTITY = (
    "uname -n; hostname -f 2>/dev/null || uname -n; "
    "ip -o addr show 2>/dev/null | awk '{print $4}' | cut -d/ -f1; echo end"
)
COMPUTE_ID = "cat /proc/{pid}/root/var/lib/nova/compute_id 2>/dev/null || true"
"""Since 2023.1 nova-compute keeps there by which id Nova has its host."""
TRIPLEO_SIGN = "/var/lib/config-data/puppet-generated"
SERVICES = ("nova-compute", "nova-api")


@dataclass(frozen=True)
class Card:
    """One GPU of a host."""

    product_id: str
    device_type: str
    resource_class: str = ""
    """That its entry of device_spec names; "" if none does."""


@dataclass(frozen=True)
class HostFacts:
    """What one machine told; what it did not tell is None or stands in `failure`."""

    machine: Machine
    failure: str = ""
    """Why it could not be looked at, in a line; "" if it could."""
    names: frozenset[str] = frozenset()
    """All names that it has for itself, in small letters."""
    addresses: frozenset[str] = frozenset()
    signs: Signs | None = None
    present: tuple[Card, ...] = ()
    given: tuple[Card, ...] | None = None
    """Those that device_spec gives to instances; None if it could not be read."""
    virtual_functions: int = 0
    firmware: str | None = None
    cpu_vendor: str | None = None
    runs: frozenset[str] = frozenset()
    """Services of Nova whose processes it shows."""
    aliases: Mapping[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    """By service, as its nova.conf has them."""
    compute_id: str = ""
    unread: tuple[str, ...] = ()
    """What was refused or not understood although the machine answers."""

    @property
    def cards(self) -> tuple[Card, ...]:
        """Those that a cloud file should declare: what Nova gives away, or all where nothing is given yet."""
        return self.given or self.present


def read_all(machines: Sequence[Machine]) -> tuple[HostFacts, ...]:
    """Look at machines side by side; each costs its own timeout and no other's, and bastions are connected to once."""
    ways = ways_of(CLOUD)
    try:
        opened = [_opened(machine, ways) for machine in machines]  # one after another: they share bastions
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            return tuple(pool.map(_looked_at, opened))
    finally:
        ways.close()


def _opened(machine: Machine, ways: SshWays) -> tuple[Machine, RemoteHost | None, str]:
    """A machine with its connection, or why there is none."""
    given = {key: value for key, value in machine.access.__dict__.items() if value}
    try:
        endpoint = SshEndpoint.model_validate({"address": machine.address, **given})
        host = ways.open(machine.name, endpoint, default_user=getpass.getuser())
    except ValidationError as error:
        wrong = ", ".join(f"{'.'.join(map(str, each['loc']))} {str(each['input'])[:80]!r}" for each in error.errors())
        return machine, None, f"cannot be reached with {wrong}"
    except AcceptanceError as error:
        return machine, None, in_a_line(error)
    used = replace(machine.access, user=host.endpoint.user)  # as ssh_config has it, where nobody else says it
    return replace(machine, access=used), host, ""


def _looked_at(opened: tuple[Machine, RemoteHost | None, str]) -> HostFacts:
    machine, host, why_not = opened
    if host is None:
        return HostFacts(machine, failure=why_not)
    try:
        return _Looking(machine, CLOUD, host).look()
    finally:
        host.close()


def read(machine: Machine) -> HostFacts:
    """Look at one machine."""
    return read_all((machine,))[0]


CLOUD = Cloud.model_construct(name="discovery", kind="existing")
"""What is known of the cloud before anything is seen: how its kind is reached, and no deployer."""


class _Looking:
    def __init__(self, machine: Machine, cloud: Cloud, host: Host) -> None:
        self.machine = machine
        self.cloud = cloud
        self.host = host
        self.unread: list[str] = []

    def look(self) -> HostFacts:
        try:
            names, addresses = identity(output_of(self.host, IDENTITY).stdout)
        except AcceptanceError as error:
            return HostFacts(self.machine, failure=in_a_line(error))
        signs = self._try("signs of a deployer", lambda: deployer_signs.read(self.host, (*all_signs(), TRIPLEO_SIGN)))
        devices = self._try("PCI devices", lambda: pci_devices.read(self.host)) or ()
        specs, aliases, runs, compute_id = self._nova(signs)
        gpus = [device for device in devices if device.is_nvidia_gpu]
        whole = [device for device in gpus if device.physical_function is None]
        return HostFacts(
            machine=self.machine,
            names=names,
            addresses=addresses,
            signs=signs,
            present=tuple(_card(device, None) for device in whole),
            given=self._try("device_spec", lambda: _given(specs, whole)) if specs is not None else None,
            virtual_functions=len(gpus) - len(whole),
            firmware=self._firmware(),
            cpu_vendor=self._try("the processors' vendor", lambda: cpu_vendor.read(self.host)) if whole else None,
            runs=frozenset(runs),
            aliases=aliases,
            compute_id=compute_id,
            unread=tuple(self.unread),
        )

    def _try(self, what: str, read: Any) -> Any:
        try:
            return read()
        except AcceptanceError as error:
            self.unread.append(f"{what}: {in_a_line(error)}")
            return None

    def _firmware(self) -> str | None:
        found = self._try("the firmware", lambda: firmware.read(self.host))
        return found.type.lower() if found else None

    def _nova(
        self, signs: Signs | None
    ) -> tuple[list[dict[str, Any]] | None, dict[str, tuple[dict[str, Any], ...]], list[str], str]:
        """Device specs, aliases by service, services that run here, and the compute's own id."""
        deployer = deployer_of(shown_by(self.cloud, [signs]) if signs else self.cloud)
        specs: list[dict[str, Any]] | None = None
        aliases: dict[str, tuple[dict[str, Any], ...]] = {}
        runs, compute_id = [], ""
        for name in SERVICES:
            service = deployer.service(name)
            process = self._try(name, lambda service=service: _process(self.host, service))
            if process is None:
                continue
            runs.append(name)
            conf = self._try(f"nova.conf of {name}", lambda service=service: configuration(self.host, service).conf)
            if conf is not None:
                aliases[name] = tuple(dict(each) for each in conf.aliases)
            if name == "nova-compute":
                specs = [dict(each) for each in conf.device_specs] if conf is not None else None
                compute_id = self.host.run(COMPUTE_ID.format(pid=process.pid), as_root=True).stdout.strip()
        return specs, aliases, runs, compute_id


def _process(host: Host, service: Any) -> NovaProcess | None:
    return nova_process.reach(host, service.service, anchor=service.anchor, enter=service.enter)[0]


def identity(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names, short ones too, and addresses of a machine from the answer of IDENTITY.

    Raises:
        ParseError: a cut answer.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 3 or lines[-1] != "end":
        raise ParseError("uname", "the answer is cut off", line=text[-100:])
    names = {line.lower() for line in lines[:2]}
    return frozenset(names | {name.split(".")[0] for name in names}), frozenset(lines[2:-1])


def _given(specs: Sequence[Mapping[str, Any]], devices: Sequence[PciDevice]) -> tuple[Card, ...]:
    pairs = [(device, taken_by(specs, device)) for device in devices]
    return tuple(_card(device, spec) for device, spec in pairs if spec is not None)


def _card(device: PciDevice, spec: Mapping[str, Any] | None) -> Card:
    return Card(device.product_id, device_type_of(device), str((spec or {}).get("resource_class") or ""))


def in_a_line(error: Exception) -> str:
    """An error as one line, with what to do only where the reader can do it from here."""
    lines = str(error).splitlines()
    remedy = getattr(error, "remedy", "")
    told = isinstance(error, AuthenticationError | HostKeyError | LoginError) and remedy
    return f"{lines[0][:300]}{f' ({remedy})' if told else ''}"
