"""An image as Glance has it, with every property that Nova may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from access.errors import ParseError
from access.openstack_api import translated


@dataclass(frozen=True)
class ImageFacts:
    """What an image asks of flavor and host."""

    name: str
    min_disk_gb: int
    min_ram_mb: int
    properties: dict[str, str]
    """All further properties, e.g. hw_pci_numa_affinity_policy, trait:CUSTOM_X."""


def parse(data: dict[str, Any]) -> ImageFacts:
    """Read Glance's answer, in which properties stand beside the rest.

    Raises:
        ParseError: a field that every image has is missing.
    """
    missing = [key for key in ("name", "min_disk", "min_ram") if key not in data]
    if missing:
        raise ParseError("Glance", f"an image without {', '.join(missing)}", line=str(data)[:200])
    properties = {key: value for key, value in data.items() if isinstance(value, str)}
    return ImageFacts(str(data["name"]), int(data["min_disk"] or 0), int(data["min_ram"] or 0), properties)


def read(connection: Any, image_id: str) -> ImageFacts:
    """An image by its id."""
    with translated(f"read the image {image_id}"):
        answer = connection.image.get(f"/images/{image_id}")
    if not answer.ok:
        raise ParseError("Glance", f"the image {image_id} gives {answer.status_code}", line=answer.text[:200])
    return parse(dict(answer.json()))
