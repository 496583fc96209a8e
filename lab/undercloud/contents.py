"""What lies on the undercloud and the overcloud's nodes before an operator does anything."""

from __future__ import annotations

from lab.state import LabState


def populate(state: LabState) -> None:
    """Put the operator's starting point on the machines; what is there stays."""
