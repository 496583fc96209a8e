"""How runs are kept and compared with their past."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import Field

from access.endpoint import Section
from cloud_file.sections.values import SecretReference


class SlowerThanPast(Section):
    """A run fails when a card is slower than its own past."""

    fail_below_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """This run's figure divided by the median of the past; 0.95 fails what is more than five per cent slower."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.99
    """Probability that no card is failed wrongly within `nights`, all cards and metrics together."""
    nights: Annotated[int, Field(ge=7, le=400)] = 14
    """How many nights back the past goes."""
    since: datetime.date | None = None
    """The past begins here, for instance after a new driver that is meant to be slower."""


class History(Section):
    """Where runs are kept and what is made of them."""

    url: SecretReference | None = None
    """Reference to a database's URL; without it a SQLite file beside the runs."""
    slower_than_past: SlowerThanPast | None = None
    """Without it figures are kept and not judged by their past."""
