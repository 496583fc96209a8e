"""What speaks against a card or a machine, before a suite rejects with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    cause: str
    """One of judging/causes."""
    what: str
    values: Mapping[str, object] = field(default_factory=dict)
    """Words of the fix."""
