"""What lies on the undercloud and the overcloud's nodes before an operator does anything."""

from __future__ import annotations

from lab.guests import base_images
from lab.hosts.layout import MachineDir
from lab.state import LabState


def populate(state: LabState) -> None:
    """Put the operator's starting point on the machines; what is there stays."""
    undercloud = MachineDir(state.paths, state.hosts("Undercloud")[0])
    images = undercloud.path("/home/stack/images")
    images.mkdir(exist_ok=True)
    image = images / base_images.NAME
    if not image.exists():
        base_images.make(state.paths, image)
