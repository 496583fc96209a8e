"""What one TripleO release is told, and where it writes what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

_FILTERS = Path(__file__).parent.parent / "preflight" / "data" / "filters.yaml"
_FOLDER = Path(__file__).parent / "releases"


@dataclass(frozen=True)
class Release:
    """The dialect of one release."""

    name: str
    kernel_arguments: Literal["first_boot", "role", "parameter"]
    filter_parameter: str
    filters: tuple[str, ...]
    alias_hiera_key: str
    puppet_nova_needs_update: bool
    api_nova_conf: str
    compute_nova_conf: str
    container_engine: str | None
    environment_files: tuple[str, ...] = ()
    """Of the release's own templates, relative to them: what a GPU cloud needs of these."""

    def known_filters(self) -> frozenset[str]:
        """Scheduler filters that this release's Nova has."""
        data = yaml.safe_load(_FILTERS.read_text(encoding="utf-8"))
        order = list(data["sources"])
        here = order.index(self.name)
        return frozenset(
            name for name, (first, last) in data["filters"].items() if order.index(first) <= here <= order.index(last)
        )


def release(name: str) -> Release:
    """The dialect called `name`, e.g. "ocata"."""
    data = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
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
