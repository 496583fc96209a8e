"""The hosts of the model cloud: each answers the commands of the probes with the text that its tools would print."""

from __future__ import annotations

from collections.abc import Callable

from model_cloud import Card, ModelCloud

from access.errors import Blocked, CommandError
from access.host import CommandOutput
from cloud_file.cloud import Cloud
from cloud_file.deployer import deployer_of
from cloud_file.sections.hosts import DeclaredHost
from probes import libvirt_domains, pci_devices
from probes.openstack import pci_claims
from probes.references import NVIDIA_VENDOR_ID
from provisioning.environment import Guest
from provisioning.hosts import Absence

RUNNING = {"ACTIVE": "running", "PAUSED": "paused", "VERIFY_RESIZE": "running"}

NO_PROCESS = ("/proc/[0-9]*/cmdline", "clock 100 1 1.0\nend\n")
"""Where a service is looked for there is none: claims are then read by the client of MySQL."""


class Unforeseen(Exception):
    """A command that the double does not know: a mistake of the test, never a finding."""


class AnsweringHost:
    """A host that gives prepared answers, each to the command that has its text; see `access.host.Host`."""

    def __init__(self, name: str, answers: dict[str, Callable[[], str]]) -> None:
        self.name = name
        self.answers = answers
        self.on_command: Callable[[CommandOutput], None] | None = None

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        """The answer; it becomes evidence."""
        answer = next((give for text, give in self.answers.items() if text in command), None)
        if answer is None:
            raise Unforeseen(f"{self.name}: {command}")
        output = CommandOutput(self.name, command, 0, answer(), "", 0.0)
        if self.on_command is not None:
            self.on_command(output)
        return output


class ModelHosts:
    """Stands for `provisioning.hosts.Hosts`."""

    def __init__(self, cloud: Cloud, model: ModelCloud, others: dict[str, AnsweringHost] | None = None) -> None:
        self.open: dict[str, AnsweringHost] = {}
        self.answers: dict[tuple[str, str, bool], CommandOutput] = {}
        self.absences: dict[str, Absence] = {}
        self.cloud, self._model = cloud, model
        self._others = others or {}
        """Further machines by name, the undercloud and instances among them."""

    def node(self, declared: DeclaredHost) -> AnsweringHost:
        """A host of the cloud file."""
        return self._others.get(declared.name) or AnsweringHost(declared.name, self._answers_of(declared.name))

    def looked_at(self, declared: DeclaredHost) -> AnsweringHost:
        """The same, for checks that change nothing on it."""
        return self.node(declared)

    def undercloud(self) -> AnsweringHost:
        """The undercloud."""
        return self._others["undercloud"]

    def guest(self, guest: Guest) -> AnsweringHost:
        """An instance."""
        if guest.name not in self._others:
            raise Blocked(f"the instance {guest.name} cannot be reached")
        return self._others[guest.name]

    def _answers_of(self, name: str) -> dict[str, Callable[[], str]]:
        model = self._model
        restart = deployer_of(self.cloud).service("nova-compute").restart
        return {
            pci_devices.COMMAND: lambda: _shown(model, "sysfs", pci_rows(model, name)),
            libvirt_domains.COMMAND: lambda: _shown(model, "virsh", virsh(model, name)),
            NO_PROCESS[0]: lambda: NO_PROCESS[1],
            pci_claims.COMMAND: lambda: _shown(model, "mysql", mysql(model)),
            restart: lambda: _nothing(model.restart_compute, name),
        }


def _shown(model: ModelCloud, side: str, text: str) -> str:
    if not model.shows(side):
        raise CommandError("the command failed", command=side, host="here", exit_code=1, stderr="permission denied")
    return text


def _nothing(act: Callable[[str], None], name: str) -> str:
    act(name)
    return ""


def pci_rows(model: ModelCloud, host: str) -> str:
    """sysfs: a bridge, and the host's cards."""
    held = {card: item.status for item in model.instances.values() for card in item.domains if item.status in RUNNING}
    rows = ["0000:00:02.0 0x8086 0x6f04 0x060400 pcieport 1 0 - - 8.0_GT/s 8.0_GT/s 16 16 -"]
    for card in (card for card in model.cards if card.host == host):
        driver = "vfio-pci" if card in held else "-"
        group, node = int(card.address[5:7], 16), -1 if card.node is None else card.node
        rows.append(
            f"{card.address} 0x{NVIDIA_VENDOR_ID} 0x15f8 0x030200 {driver} {group} {node}"
            f" - - 8.0_GT/s 8.0_GT/s 16 16 de10f815"
        )
    return "\n".join([*rows, "end", ""])


def virsh(model: ModelCloud, host: str) -> str:
    """Domains that have a device of this host or run on it."""
    blocks = []
    for item in model.instances.values():
        mine = [card for card in item.domains if card.host == host]
        if mine or item.host == host:
            state = RUNNING.get(item.status, "shut off")
            blocks.append(f"=== {item.id} {state}\n<domain><devices>{''.join(map(_hostdev, mine))}</devices></domain>")
    return "\n".join([*blocks, "=== end", ""])


def _hostdev(card: Card) -> str:
    domain, bus, rest = card.address.split(":")
    slot, function = rest.split(".")
    place = f'domain="0x{domain}" bus="0x{bus}" slot="0x{slot}" function="0x{function}"'
    return f'<hostdev mode="subsystem" type="pci"><source><address {place}/></source></hostdev>'


def mysql(model: ModelCloud) -> str:
    """Nova's table pci_devices."""
    rows = ["\t".join(pci_claims.COLUMNS)]
    for card, holder in model.claims():
        status = "allocated" if holder else "available"
        words = (
            f"{card.host}.localdomain",
            card.address,
            status,
            holder or "NULL",
            NVIDIA_VENDOR_ID,
            "15f8",
            "NULL" if card.node is None else str(card.node),
            "type-PCI",
        )
        rows.append("\t".join(words))
    return "\n".join([*rows, ""])
