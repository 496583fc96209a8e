"""What one lifecycle test makes, does and gives back."""

from __future__ import annotations

from provisioning.scenario.making import Making
from provisioning.scenario.operations import Operations
from provisioning.scenario.removal import Removal


class Scenario(Making, Operations, Removal):
    """One test's resources: made under names with its token, operated on, read, and removed."""
