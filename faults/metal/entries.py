"""The list of faults for the metal tier: each is one of the catalogue, with how it gets into a real machine."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from faults.fault import CATALOGUE, Fault, load
from lab.errors import LabError

LIST = Path(__file__).with_name("faults.yaml")
LOOKED_AT = ("suites/hosts", "suites/control_plane")
RESTARTED, ENDS = "restarted", "ends"
"""What nova-compute does after a change of the host: it is restarted, or restarted and does not come up."""
LISTS = ("save", "restart")


@dataclass(frozen=True)
class MetalFault:
    """One entry of faults.yaml; what is "" or empty is not done."""

    fault: Fault
    """As the catalogue has it, on this host."""
    save: tuple[str, ...] = ()
    """Files of the host that are put back afterwards, as they were; one that was not there is removed."""
    run: str = ""
    """Commands of root on the host."""
    undo: str = ""
    """Commands of root once the files are back."""
    compute: str = ""
    reboot: bool = False
    """Whether the host is rebooted after `run`, and after it is undone."""
    after_reboot: str = ""
    """Commands of root after the reboot."""
    card: dict[str, Any] = field(default_factory=dict)
    """What ails the first card, see lab/metal/card.py."""
    hardware: dict[str, Any] = field(default_factory=dict)
    """What the declaration says instead, by path, before a cold start."""
    instance: str = ""
    """What `openstack server` does with the instance before."""
    instance_undo: str = ""
    administrator: str = ""
    """Commands with the administrator's credentials."""
    administrator_undo: str = ""
    controller: str = ""
    """Commands of root on the controller."""
    controller_undo: str = ""
    restart: tuple[str, ...] = ()
    """Services of the controller, after both."""

    @property
    def ends_in_a_cold_start(self) -> bool:
        """Whether only that makes the machine healthy again: a card that is lost in a reset stays so."""
        return bool(self.hardware) or "lost_in_reset" in self.card


def entries(host: str) -> list[MetalFault]:
    """All of faults.yaml, at the host of this name.

    Raises:
        LabError: an entry with a key that nobody reads, or of no fault of the catalogue.
    """
    return [_entry(host, dict(data)) for data in yaml.safe_load(LIST.read_text(encoding="utf-8"))]


def _entry(host: str, data: dict[str, Any]) -> MetalFault:
    fault = data.pop("fault")
    if unknown := set(data) - {item.name for item in fields(MetalFault)}:
        raise LabError(f"{LIST}: {fault} has no {', '.join(sorted(unknown))}")
    if data.get("compute", RESTARTED) not in (RESTARTED, ENDS):
        raise LabError(f"{LIST}: {fault}: compute is {RESTARTED} or {ENDS}, not {data['compute']}")
    data |= {key: tuple(data[key]) for key in LISTS if key in data}
    return MetalFault(_on(host, load(CATALOGUE / f"{fault}.yaml")), **data)


def _on(host: str, fault: Fault) -> Fault:
    """What is said of a compute of the emulated lab is to be said of this one."""
    expect = tuple(
        replace(item, place=host) if (item.place or "").startswith("compute-") else item for item in fault.expect
    )
    return replace(fault, expect=expect, accept=LOOKED_AT)
