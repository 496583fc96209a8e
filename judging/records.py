"""What one check came to: its verdict, with evidence and figures. reports/ writes and reads these as lines of a run."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from access.errors import MeasurementError
from probes.card_identity import CardIdentity

OUTPUT_LIMIT_CHARS = 4000
"""Of a command's output, a message or a finding: hosts are not trusted to be brief."""
LOWER_IS_BETTER = ("latency", "temperature", "time", "errors")


class Verdict(StrEnum):
    """What a check came to."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    """We could not measure."""
    BLOCKED = "blocked"
    """What it rests on failed."""
    NOT_VERIFIED = "not verified"
    """No positive evidence either way: never counts as passed."""


def check_name(check: str, place: str) -> str:
    """As `--check`, page, JUnit, terminal and certificate name a check, e.g. host.iommu.cmdline[compute-0]."""
    return f"{check}[{place}]" if place else check


@dataclass(frozen=True)
class Evidence:
    """One command that was run for a check."""

    host: str
    command: str
    exit_code: int
    output: str
    """stdout and stderr without secrets, bounded."""
    duration_s: float
    sha256: str = ""
    """Of the output without secrets, before it was bounded."""
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure."""

    metric: str
    """e.g. bandwidth.h2d"""
    value: float
    unit: str
    host: str
    device: str
    repetition: int
    minimum: float | None = None
    maximum: float | None = None
    source: str = ""
    """Where the accepted band comes from."""
    direction: str = ""
    """"higher" or "lower" is better; "" says what the metric's kind says, see `direction_of`."""
    card: str = ""
    """UUID or serial of the card, where known."""
    bare_metal: float | None = None
    """The same metric on the machine without a cloud, where known; same unit."""

    def __post_init__(self) -> None:
        """Sources are long and the same for a million figures: one string is kept of each.

        Raises:
            MeasurementError: a figure is no finite number.
        """
        figures = (self.value, self.minimum or 0.0, self.maximum or 0.0, self.bare_metal or 0.0)
        if not all(map(math.isfinite, figures)):
            raise MeasurementError(f"{self.metric} of {self.host}, device {self.device}: no finite figure in {figures}")
        object.__setattr__(self, "source", sys.intern(self.source))


def now() -> str:
    """The time as records have it: ISO 8601, UTC, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def direction_of(metric: str) -> str:
    """Whether higher or lower is better: "higher" for bandwidth.h2d, "lower" for latency.p2p."""
    return "lower" if metric.startswith(LOWER_IS_BETTER) else "higher"


@dataclass(frozen=True)
class CheckRecord:
    """One check in one place."""

    id: str
    """Stable, e.g. host.iommu.cmdline"""
    place: str
    """What it was checked at: a host, device or guest; "" for the cloud."""
    verdict: Verdict
    test: str
    """pytest's node id."""
    fact: str
    """First line of the test's docstring."""
    message: str = ""
    """Why it is not passed."""
    cause: str = ""
    """Stable name of what is wrong, within this check; "" unless it failed."""
    fix: str = ""
    """What to change."""
    file: str = ""
    """The file on that host in which it is to be changed; "" where it is none."""
    line_number: int | None = None
    source: str = ""
    rests_on: tuple[str, ...] = ()
    duration_s: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    cards: tuple[CardIdentity, ...] = ()
    """The physical cards that it is about: of a failure those that are wrong; empty where it is about no card."""
    expected: str = ""
    """What was asked for; the fact where the check says nothing more exact."""
    found: str = ""
    """What was there, in words; "" where the evidence alone says it."""
    started: str = ""
    """ISO 8601, UTC."""
    worker: str = ""
    """xdist's name of the process, e.g. gw0; "" without xdist."""
    simulated: bool = False
    """Whether the hardware was simulated: every line says it for itself."""
