"""Result records: one JSON object a line, written as it happens. docs/records.schema.json is their schema."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from access.errors import MeasurementError
from reports.version import suite_version

SCHEMA_VERSION = 2
OUTPUT_LIMIT_CHARS = 4000
SUITE_VERSION = suite_version()
RECORDS = "records.jsonl"
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


class Outcome(StrEnum):
    """What a whole run came to."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    COULD_NOT_JUDGE = "could not judge"


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


@dataclass(frozen=True)
class Card:
    """One GPU as its driver shows it."""

    index: str
    name: str
    uuid: str
    serial: str
    pci_address: str
    vbios: str


@dataclass(frozen=True)
class HostFacts:
    """What a machine is: one line of a run for each machine that was reached."""

    host: str
    facts: Mapping[str, str]
    """kernel, system, bios_vendor, bios_version, bios_date, sys_vendor, product_name, driver, cuda, iommu_groups, and
    "link ADDRESS" for each GPU's PCI link, e.g. x16 of x16; absent is left out."""
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True)
class RunHeader:
    """First line of a run's records."""

    cloud: str
    simulated: bool
    started: str
    """ISO 8601, UTC."""
    id: str = ""
    suite_version: str = SUITE_VERSION
    schema_version: int = SCHEMA_VERSION
    environment: dict[str, Any] = field(default_factory=dict)
    """Release of the cloud, CUDA, Python and packages of the suite."""
    whole: bool = True
    """Whether all suites were asked for; a part of them accepts no cloud."""
    declared_hosts: dict[str, int] = field(default_factory=dict)
    """GPU hosts of the cloud file and the number of their cards."""
    declared_guests: dict[str, int] = field(default_factory=dict)
    """Instances of the cloud file and the number of their cards."""


@dataclass(frozen=True)
class RunEnd:
    """Last line of a run's records; a run that was cut off has none."""

    ended: str
    """ISO 8601, UTC."""
    outcome: Outcome
    exit_code: int
    unreadable_lines: int = 0
    """Lines that could not be read when the run's files were merged: each was cut off by a kill."""


Line = RunHeader | CheckRecord | HostFacts | RunEnd
KINDS: dict[type[Any], str] = {RunHeader: "run", CheckRecord: "check", HostFacts: "host", RunEnd: "end"}
ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in KINDS}
"""Check, read and dump each kind of line."""


def json_line(line: Line) -> str:
    """The line as the file has it."""
    kind = type(line)
    return json.dumps({"kind": KINDS[kind], **ADAPTERS[kind].dump_python(line)}, ensure_ascii=False) + "\n"


class RunWriter:
    """Appends lines to RUN/records.jsonl, or RUN/records.WORKER.jsonl; each is on disk before the next check starts."""

    def __init__(self, directory: Path, header: RunHeader | None, worker: str = "") -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = directory / (f"records.{worker}.jsonl" if worker else RECORDS)
        if header is not None:
            self.append(header)

    def write(self, record: CheckRecord) -> None:
        """Write one check."""
        self.append(record)

    def append(self, line: Line) -> None:
        """Write one line."""
        data = json_line(line).encode(errors="replace")
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)


def record_from(data: dict[str, Any]) -> CheckRecord:
    """A check from its JSON form; fields that a newer suite adds are passed over.

    Raises:
        pydantic.ValidationError: it is no check.
    """
    record: CheckRecord = ADAPTERS[CheckRecord].validate_python(data)
    return record


def read_run(path: Path) -> tuple[dict[str, Any], list[CheckRecord]]:
    """Header and checks of a run; a last line that a kill cut off is left out."""
    from reports.run import read  # a reader for those who want no more than this

    run = read(path)
    return asdict(run.header), list(run.checks)
