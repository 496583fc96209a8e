"""nova.conf of one host, and what Nova makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from access.errors import ParseError
from access.host import Host
from judging import nova_aliases
from judging.causes import rejected
from judging.nova_aliases import is_on
from probes import nova_conf, nova_device_spec
from probes.nova_conf import NovaConf
from probes.openstack.nova_release import Versions
from probes.pci_address import PciAddress
from probes.pci_devices import PciDevice
from probes.reading import read_file


@dataclass(frozen=True)
class Configuration:
    """One nova.conf; it is read when a check asks for it."""

    path: str
    text: str

    @cached_property
    def conf(self) -> NovaConf:
        """What Nova makes of it.

        Raises:
            Rejected: Nova refuses it, as we do.
        """
        try:
            return nova_conf.parse(self.text)
        except ParseError as error:
            is_list = "alias is a list" in error.reason
            raise rejected(
                "aliases-as-one-list" if is_list else "nova-refuses-its-configuration",
                f"{error}" + (": Nova says PciInvalidAlias" if is_list else ""),
                file=self.path,
                line_number=error.line_number,
            ) from error

    def is_on(self, section: str, name: str) -> bool:
        """Whether a switch is on in this file; of several lines the last counts."""
        values = [option.value for option in self.conf.options if (option.section, option.name) == (section, name)]
        return bool(values) and is_on(values[-1])


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


def configuration(host: Host, path: str) -> Configuration:
    """The nova.conf at `path` of a host."""
    return Configuration(path, read_file(host, path, as_root=True))
