"""What one TripleO release is told, and where it writes what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from access.data_files import read_data
from cloud_file.cloud import Cloud

_FILTERS = Path(__file__).parents[2] / "preflight" / "data" / "filters.yaml"
NOVA_CONF = "/etc/nova/nova.conf"
_FOLDER = Path(__file__).parent / "releases"


OLD_OPTIONS = ("alias", "passthrough_whitelist")
LATER_OPTIONS = ("device_spec", "report_in_placement")
"""Options of [pci] that came with Nova 26 (Zed): services of earlier releases pass over them in silence."""


@dataclass(frozen=True)
class Release:
    """The dialect of one release."""

    name: str
    kernel_arguments: Literal["first_boot", "role", "parameter", "none"]
    filter_parameter: str
    filters: tuple[str, ...]
    alias_hiera_key: str
    puppet_nova_needs_update: bool
    api_nova_conf: str
    compute_nova_conf: str
    container_engine: str | None
    pci_options: tuple[str, ...] = OLD_OPTIONS
    """Options of [pci] that this release's services read."""
    how_to_apply: str = "deploy again"
    """What brings a changed setting into effect."""
    whitelist_parameter: str = "NovaPCIPassthrough"
    environment_files: tuple[str, ...] = ()
    """Of the release's own templates, relative to them: what a GPU cloud needs of these."""

    def known_filters(self) -> frozenset[str] | None:
        """Scheduler filters that this release's Nova has; None where we do not know the release."""
        data = read_data(_FILTERS)
        order = list(data["sources"])
        if self.name not in order:
            return None
        here = order.index(self.name)
        return frozenset(
            name for name, (first, last) in data["filters"].items() if order.index(first) <= here <= order.index(last)
        )


def dialect_of(cloud: Cloud) -> Release:
    """The dialect of a cloud's release; without one, that of nova.conf itself, wherever the cloud file says it lies."""
    found = release(cloud.release) if cloud.release else _plain()
    places = cloud.nova
    return replace(
        found,
        api_nova_conf=places.api_conf or found.api_nova_conf,
        compute_nova_conf=places.compute_conf or found.compute_nova_conf,
        container_engine=places.container_engine or found.container_engine,
    )


def _plain() -> Release:
    return Release(
        name="",
        kernel_arguments="none",
        filter_parameter="[filter_scheduler] enabled_filters",
        filters=(),
        alias_hiera_key="[pci] alias",
        puppet_nova_needs_update=False,
        api_nova_conf=NOVA_CONF,
        compute_nova_conf=NOVA_CONF,
        container_engine=None,
        pci_options=OLD_OPTIONS + LATER_OPTIONS,
        how_to_apply="restart the service",
        whitelist_parameter="[pci] device_spec",
    )


def release(name: str) -> Release:
    """The dialect called `name`, e.g. "ocata"."""
    data = read_data(_FOLDER / f"{name}.yaml")
    return Release(
        name=name,
        kernel_arguments=data["kernel_arguments"],
        filter_parameter=data["filter_parameter"],
        filters=tuple(data["filters"]),
        alias_hiera_key=data["alias_hiera_key"],
        puppet_nova_needs_update=data["puppet_nova_needs_update"],
        api_nova_conf=data["nova_conf"]["api"],
        compute_nova_conf=data["nova_conf"]["compute"],
        container_engine=data["container_engine"],
        environment_files=tuple(data.get("environment_files", ())),
    )
