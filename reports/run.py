"""A run as its files tell it: merged from all workers, whole or cut off."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from provisioning.errors import InputError
from reports.records import (
    RECORDS,
    Card,
    CheckRecord,
    HostFacts,
    Line,
    Outcome,
    RunEnd,
    RunHeader,
    Verdict,
    json_line,
    record_from,
)


@dataclass(frozen=True)
class Run:
    """All lines of a run."""

    header: RunHeader
    checks: tuple[CheckRecord, ...]
    hosts: tuple[HostFacts, ...]
    end: RunEnd | None
    """None when the run was cut off."""
    unreadable_lines: int = 0

    @property
    def outcome(self) -> Outcome:
        """Never better than its checks, and a run without an end is not accepted."""
        found = outcome_of(self.checks)
        cut_off = self.end is None or (self.end.outcome is not Outcome.ACCEPTED and found is Outcome.ACCEPTED)
        return Outcome.COULD_NOT_JUDGE if found is Outcome.ACCEPTED and cut_off else found

    def card_of(self, host: str, device: str) -> str:
        """UUID of a device of a host or guest; "" where it is not known."""
        found = next((facts for facts in self.hosts if facts.host == host), None)
        return next((card.uuid for card in found.cards if card.index == device), "") if found else ""


def outcome_of(checks: Iterable[CheckRecord]) -> Outcome:
    """A failure rejects; anything else that is not passed, or nothing at all, cannot be judged."""
    verdicts = {check.verdict for check in checks}
    if Verdict.FAILED in verdicts:
        return Outcome.REJECTED
    return Outcome.ACCEPTED if verdicts == {Verdict.PASSED} else Outcome.COULD_NOT_JUDGE


def lines(path: Path) -> Iterator[dict[str, Any] | None]:
    """Each line of a run's files (a directory, or one file); None for one that a kill cut off.

    Raises:
        InputError: there is no such run.
    """
    files = _files(path)
    if not files:
        raise InputError(f"{path} is no run: it has no {RECORDS}", remedy="python -m reports list")
    for file in files:
        with file.open(encoding="utf-8", errors="replace") as stream:
            yield from map(_line, stream)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path, *sorted(path.parent.glob("records.*.jsonl"))] if path.name == RECORDS else [path]
    return [file for file in (path / RECORDS, *sorted(path.glob("records.*.jsonl"))) if file.is_file()]


def _line(text: str) -> dict[str, Any] | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def read(path: Path) -> Run:
    """The whole run.

    Raises:
        InputError: no run, or its first line is not there.
    """
    header: RunHeader | None = None
    end: RunEnd | None = None
    checks: dict[tuple[str, str, str], CheckRecord] = {}
    hosts: dict[str, HostFacts] = {}
    unreadable = 0
    for data in lines(path):
        kind = data.get("kind") if data else None
        if data is None:
            unreadable += 1
        elif kind == "run":
            header = header_from(data)
        elif kind == "check":
            check = record_from(_known(CheckRecord, data))
            checks[check.id, check.place, check.test] = check
        elif kind == "host":
            hosts[data["host"]] = facts_from(data)
        elif kind == "end":
            end = RunEnd(data["ended"], Outcome(data["outcome"]), data["exit_code"])
    if header is None:
        raise InputError(f"{path} is no run: its first line is not that of a run")
    return Run(header, tuple(checks.values()), tuple(hosts[name] for name in sorted(hosts)), end, unreadable)


def header_from(data: dict[str, Any]) -> RunHeader:
    """A header from its JSON form."""
    return RunHeader(**_known(RunHeader, data))


def facts_from(data: dict[str, Any]) -> HostFacts:
    """A machine's facts from their JSON form."""
    return HostFacts(data["host"], data["facts"], tuple(Card(**card) for card in data["cards"]))


def _known(kind: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    """Only fields of this schema: a newer suite may write more."""
    names = {field.name for field in fields(kind)}
    return {key: value for key, value in data.items() if key in names}


def merge(directory: Path, end: RunEnd | None = None) -> Run:
    """Put all workers' lines into records.jsonl, by time, and end the run; safe to repeat."""
    run = read(directory)
    last = end or run.end
    ordered = sorted(run.checks, key=lambda check: (check.started, check.test))
    text: list[Line] = [run.header, *run.hosts, *ordered, *([last] if last else [])]
    write_atomically(directory / RECORDS, "".join(map(json_line, text)))
    for file in directory.glob("records.*.jsonl"):
        file.unlink()
    return read(directory)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a whole file or nothing; only its owner may read it."""
    data = content.encode(errors="replace") if isinstance(content, str) else content
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
