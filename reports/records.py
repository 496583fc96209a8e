"""Result records: one JSON object a line, written as it happens. docs/records.schema.json is their schema."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from judging.coverage import ExcusedCards
from judging.outcome import Outcome
from judging.records import CheckRecord
from reports.chain import START, linked
from reports.version import suite_version

SCHEMA_VERSION = 3
READABLE_VERSIONS = (2, SCHEMA_VERSION)
"""Version 2 names no cards in its records."""
SUITE_VERSION = suite_version()
RECORDS = "records.jsonl"


@dataclass(frozen=True)
class Card:
    """One GPU as its driver shows it."""

    index: str
    name: str
    uuid: str
    serial: str
    pci_address: str
    vbios: str
    ecc: str = ""
    """Whether its memory corrects errors: Enabled, Disabled or [N/A]; "" where it was not asked."""


@dataclass(frozen=True)
class HostFacts:
    """What a machine is: one line of a run for each machine that was reached."""

    host: str
    facts: Mapping[str, str]
    """kernel, system, bios_vendor, bios_version, bios_date, sys_vendor, product_name, product_serial, bmc_version,
    driver, cuda, iommu_groups, and "link ADDRESS" for each GPU's PCI link, e.g. x16 of x16; absent is left out."""
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
    suite_commit: str = ""
    """The suite's commit, 40 hexadecimal digits, with `+changes` where its files differed from it; "" if not known."""
    schema_version: int = SCHEMA_VERSION
    environment: dict[str, Any] = field(default_factory=dict)
    """Release of the cloud, CUDA, Python and packages of the suite."""
    whole: bool = True
    """Whether all suites were asked for; a part of them accepts no cloud."""
    declared_hosts: dict[str, int] = field(default_factory=dict)
    """GPU hosts of the cloud file and the number of their cards."""
    declared_guests: dict[str, int] = field(default_factory=dict)
    """Instances of the cloud file and the number of their cards."""
    excused_cards: tuple[ExcusedCards, ...] = ()
    """Cards that the cloud file excuses from being measured."""


@dataclass(frozen=True)
class RunEnd:
    """Last line of a run's records; a run that was cut off has none."""

    ended: str
    """ISO 8601, UTC."""
    outcome: Outcome
    exit_code: int
    unreadable_lines: int = 0
    """Lines that could not be read when the run's files were merged: each was cut off by a kill."""
    altered_lines: int = 0
    """Lines that were not as they had been written when the run's files were merged."""
    doubts: tuple[str, ...] = ()
    """What beside the checks forbids to accept: failures that pytest saw, what broke at the session's end."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Checks of the suites that were left out on purpose, by id, and why."""


Line = RunHeader | CheckRecord | HostFacts | RunEnd
KINDS: dict[type[Any], str] = {RunHeader: "run", CheckRecord: "check", HostFacts: "host", RunEnd: "end"}
ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in KINDS}
"""Check, read and dump each kind of line."""


def json_line(line: Line) -> str:
    """The line as the file has it."""
    kind = type(line)
    return json.dumps({"kind": KINDS[kind], **ADAPTERS[kind].dump_python(line)}, ensure_ascii=False) + "\n"


def body_of(line: Line) -> bytes:
    """The line's JSON as bytes, without chain and end of line."""
    return json_line(line).rstrip("\n").encode(errors="replace")


class RunWriter:
    """Appends lines to RUN/records.jsonl, or RUN/records.WORKER.jsonl; each is on disk before the next check starts.

    Lines are chained (`reports.chain`). Where the disk takes none, they are kept and written with the next one that it
    takes; half a line is never left.
    """

    def __init__(self, directory: Path, header: RunHeader | None, worker: str = "") -> None:
        self.path = directory / (f"records.{worker}.jsonl" if worker else RECORDS)
        self.failure = ""
        """Why lines are not on disk; "" when all are."""
        self._waiting: list[bytes] = []
        self._before = START
        make_private(directory)
        if header is not None:
            self.append(header)

    def write(self, record: CheckRecord) -> None:
        """Write one check."""
        self.append(record)

    def append(self, line: Line) -> None:
        """Write one line."""
        data, self._before = linked(self._before, body_of(line))
        self._waiting.append(data)
        self.flush()

    def flush(self) -> None:
        """Try again to write what the disk did not take."""
        try:
            self._append(b"".join(self._waiting))
        except OSError as error:
            self.failure = f"{self.path}: {error.strerror or error}"
        else:
            self.failure = ""
            self._waiting.clear()

    def _append(self, data: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(descriptor).st_size
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        finally:
            os.close(descriptor)


def make_private(directory: Path) -> None:
    """Make a folder and those above it that are not there, each for its owner only."""
    for folder in (*reversed(directory.parents), directory):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)


def record_from(data: dict[str, Any]) -> CheckRecord:
    """A check from its JSON form; fields that a newer suite adds are passed over.

    Raises:
        pydantic.ValidationError: it is no check.
    """
    record: CheckRecord = ADAPTERS[CheckRecord].validate_python(data)
    return record
