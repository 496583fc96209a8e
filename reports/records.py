"""Result records: one JSON object a line, written as it happens."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
OUTPUT_LIMIT_CHARS = 4000


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


@dataclass(frozen=True)
class Evidence:
    """One command that was run for a check."""

    host: str
    command: str
    exit_code: int
    output: str
    """stdout and stderr, bounded."""
    duration_s: float


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class RunHeader:
    """First line of a run's records."""

    cloud: str
    simulated: bool
    started: str
    """ISO 8601, UTC."""
    schema_version: int = SCHEMA_VERSION
    environment: dict[str, Any] = field(default_factory=dict)


class RunWriter:
    """Appends records to RUN/records.jsonl; each line is on disk before the next check starts."""

    def __init__(self, directory: Path, header: RunHeader) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = directory / "records.jsonl"
        self._append({"kind": "run", **asdict(header)})

    def write(self, record: CheckRecord) -> None:
        """Write one check."""
        self._append({"kind": "check", **asdict(record)})

    def _append(self, data: dict[str, Any]) -> None:
        line = json.dumps(data, ensure_ascii=False) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def record_from(data: dict[str, Any]) -> CheckRecord:
    """A record from its JSON form."""
    fields = {key: value for key, value in data.items() if key != "kind"}
    fields["verdict"] = Verdict(fields["verdict"])
    fields["rests_on"] = tuple(fields["rests_on"])
    fields["evidence"] = tuple(Evidence(**item) for item in fields["evidence"])
    fields["measurements"] = tuple(Measurement(**item) for item in fields["measurements"])
    return CheckRecord(**fields)


def read_run(path: Path) -> tuple[dict[str, Any], list[CheckRecord]]:
    """Header and checks of a run; a last line that a kill cut off is left out."""
    header: dict[str, Any] = {}
    checks = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            data = json.loads(line)
        except ValueError:
            continue
        if data.get("kind") == "run":
            header = data
        elif data.get("kind") == "check":
            checks.append(record_from(data))
    return header, checks
