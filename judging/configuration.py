"""What one service of Nova reads, what Nova makes of it, and whether it is what stands on the host now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

from access.errors import ParseError
from judging import nova_aliases
from judging.causes import rejected
from judging.nova_aliases import is_on
from probes import nova_conf, nova_device_spec
from probes.nova_conf import NovaConf, Option
from probes.nova_process import ConfigFile, NovaProcess
from probes.openstack.nova_release import Versions
from probes.pci_address import PciAddress
from probes.pci_devices import PciDevice

CLOCK_STEP = timedelta(seconds=2)
"""systemd and stat tell whole seconds, and the boot time that they count from is one."""
JUDGED = ("[pci]", "[filter_scheduler]", "[libvirt]")
"""Sections that the checks look into: a file of the host without them may have any purpose."""


class Deployed(Protocol):
    """One of Nova's services as the cloud's deployer runs it."""

    @property
    def service(self) -> str:
        """Nova's own name."""

    @property
    def nova_conf(self) -> str:
        """Its nova.conf on the host, or the directory of its snippets."""

    @property
    def anchor(self) -> str:
        """Command that prints the pid of its unit or container."""

    @property
    def enter(self) -> str:
        """What runs a command where it is, if the host does not see its process."""

    @property
    def container_engine(self) -> str | None:
        """docker or podman; None if it has no container of its own."""

    def shown(self, path: str) -> str:
        """A file that the service reads, as the operator knows it."""


@dataclass(frozen=True)
class Configuration:
    """The files that one service reads, by the names that the operator knows."""

    path: str
    """Where the operator changes it, if no single option is meant."""
    files: tuple[tuple[str, str], ...]
    """Path and text of each, in the order of reading."""
    process: NovaProcess | None = None
    """None if it does not run: these are the files that it would read."""
    inside: tuple[ConfigFile, ...] = ()
    """The same files as the service sees them."""
    missing: tuple[str, ...] = ()
    """Files of its command line that are not there."""

    @cached_property
    def conf(self) -> NovaConf:
        """What Nova makes of it.

        Raises:
            Rejected: Nova refuses it, as we do.
        """
        try:
            return nova_conf.parse_files(self.files)
        except ParseError as error:
            is_list = "alias is a list" in error.reason
            raise rejected(
                "aliases-as-one-list" if is_list else "nova-refuses-its-configuration",
                f"{error}" + (": Nova says PciInvalidAlias" if is_list else ""),
                file=error.tool if error.tool.startswith("/") else self.path,
                line_number=error.line_number,
            ) from error

    def file_of(self, option: Option | None) -> str:
        """Where an option stands; where it belongs if it is not set."""
        return option.file if option is not None and option.file else self.path

    def is_on(self, section: str, name: str) -> bool:
        """Whether a switch is on for this service; of several values the last counts."""
        found = self.conf.option(section, name)
        return found is not None and is_on(found.value)


def require_aliases_taken(configuration: Configuration, versions: Versions) -> None:
    """Reject the cloud if Nova refuses the aliases of a file as a whole, in Nova's words.

    Raises:
        Rejected: it does, and its services end at their start or refuse every flavor with an alias.
    """
    in_placement = configuration.is_on("filter_scheduler", "pci_in_placement")
    found = nova_aliases.refusals(configuration.conf.aliases, versions, in_placement=in_placement)
    for first in found[:1]:
        what = "Nova says PciInvalidAlias: " + "; ".join(dict.fromkeys(refusal.what for refusal in found))
        raise rejected(f"nova-refuses-its-aliases/{first.wording}", what, file=configuration.path)


def takes(spec: dict[str, Any], card: PciDevice) -> bool:
    """Whether Nova gives the card away by this entry.

    Raises:
        Rejected: Nova refuses the entry.
    """
    try:
        return nova_device_spec.takes(spec, PciAddress(card.address), card.vendor_id, card.product_id)
    except ParseError as error:
        raise rejected("device-spec-refused", str(error)) from error


def changed_file(deployed: Deployed, files: tuple[tuple[str, str], ...]) -> str:
    """The file that the operator changes: the deployer's, or the last one with a section that matters, or the last."""
    if any(path == deployed.nova_conf and text.strip() for path, text in files):
        return deployed.nova_conf
    telling = [path for path, text in files if any(section in text for section in JUDGED)]
    return (telling or [path for path, _ in files] or [deployed.nova_conf])[-1]


def changed_since(
    started: datetime, found: Configuration, written: Iterable[ConfigFile], deployed: Deployed
) -> ConfigFile | None:
    """A file that was changed after the service had read it; None if there is none.

    A container copies its files when it starts, so that they are younger than itself: there the host's file counts.
    """
    own = () if deployed.container_engine or deployed.enter else found.inside
    late = [file for file in (*written, *own) if file.changed > started + CLOCK_STEP]
    return max(late, key=lambda file: file.changed, default=None)


def not_in_effect(found: Configuration, written: Iterable[ConfigFile]) -> str:
    """The path of a file of the host that the service does not have as it stands there; "" if there is none."""
    has = dict(found.files)
    for file in written:
        matters = any(section in file.text for section in JUDGED)
        if (file.path in has and has[file.path].split() != file.text.split()) or (file.path not in has and matters):
            return file.path
    return ""
