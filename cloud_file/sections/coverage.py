"""What a run need not look at, and why."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from access.endpoint import Section
from cloud_file.sections.values import Name, Positive


class ExcusedCards(Section):
    """Cards that are declared and need not be measured; page and certificate show it with its reason."""

    cards: Positive
    """At most so many."""
    reason: Annotated[str, Field(min_length=10)]
    host: Name | None = None
    """Only of this host; without it of any."""
