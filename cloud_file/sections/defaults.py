"""What the entries of a list share, so that each says only what is its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from access.endpoint import Section


class Defaults(Section):
    """Keys that every entry of a list has unless it says otherwise: `gpus: []` is said, too."""

    hosts: Mapping[str, Any] = Field(default_factory=dict)
    """Keys of `hosts`."""
    guests: Mapping[str, Any] = Field(default_factory=dict)
    """Keys of `guests`."""
    flavors: Mapping[str, Any] = Field(default_factory=dict)
    """Keys of `flavors`."""
