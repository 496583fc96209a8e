"""A run as its files tell it: merged from all workers, whole or cut off."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from access.collector import without_collector
from access.errors import InputError, MeasurementError
from cloud_file.work_folder import called
from judging.coverage import Coverage, coverage_of
from judging.outcome import WORST_FIRST, Outcome, outcome_of
from judging.records import CheckRecord
from probes.card_identity import CardIdentity
from reports.chain import SHOWN, Chain, chained
from reports.diagnosis import Cause, diagnose
from reports.records import ADAPTERS, KINDS, READABLE_VERSIONS, RECORDS, HostFacts, Line, RunEnd, RunHeader, body_of

LINE_LIMIT_BYTES = 256 * 1024 * 1024
SCHEMA = "docs/records.schema.json"
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Run:
    """All lines of a run."""

    header: RunHeader
    checks: tuple[CheckRecord, ...]
    hosts: tuple[HostFacts, ...]
    end: RunEnd | None
    """None when the run was cut off."""
    unreadable_lines: int = 0
    altered: tuple[str, ...] = ()
    """Lines that are not as they were written, by file and number; how many, where only the end says so."""
    is_chained: bool = True
    """Whether its lines are chained; those of older suites are not."""

    @property
    def outcome(self) -> Outcome:
        """Never better than its checks; a run that was cut off, lost lines or contradicts itself is not accepted."""
        return outcome_of(self.checks, self.doubts)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What beside its checks forbids to accept it, in words."""
        if self.end is None:
            return (*self.lacks, "it was cut off: its last line is missing")
        says_why = bool(self.end.doubts or self.lacks)
        is_open = self.end.outcome is not Outcome.ACCEPTED and not says_why
        said = (f"its last line says {self.end.outcome}",) if is_open else ()
        return (*self.end.doubts, *self.lacks, *said, *self.contradictions)

    @property
    def lacks(self) -> tuple[str, ...]:
        """What its lines before the last forbid to accept beside their checks."""
        wrong = {
            f"{self.unreadable_lines} lines of its records cannot be read": self.unreadable_lines,
            f"its records were changed: {', '.join(self.altered[:SHOWN])}": self.altered,
            "declared cards were neither measured nor excused": self._hides_cards,
        }
        return tuple(what for what, is_so in wrong.items() if is_so)

    @property
    def _hides_cards(self) -> bool:
        """Whether declared cards were neither measured nor excused; version 2 of the records could not tell."""
        return self.header.whole and self.header.schema_version > 2 and self.coverage.unexcused > 0

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What its first line, last line and checks cannot say together; empty for a run as the suite writes it."""
        if self.end is None:
            return ()
        end, found = self.end, outcome_of(self.checks)
        is_accepted = end.outcome is Outcome.ACCEPTED
        says_other = is_accepted or end.outcome is Outcome.REJECTED
        wrong = {
            f"its end says {end.outcome}, its checks say {found}": says_other and found is not end.outcome,
            f"its end says {end.outcome}, its exit code is {end.exit_code}": is_accepted != (end.exit_code == 0),
            f"its end says {end.outcome}, and why it is not": is_accepted and end.doubts,
            f"it ended {end.ended}, before it started {self.header.started}": _is_before(
                end.ended, self.header.started
            ),
        }
        return tuple(what for what, is_so in wrong.items() if is_so)

    @property
    def simulated(self) -> bool:
        """Whether the run, or any check of it, was on simulated hardware."""
        return self.header.simulated or any(check.simulated for check in self.checks)

    @property
    def located_cards(self) -> Mapping[str, CardIdentity]:
        """Cards whose server and address there are known, by UUID."""
        return {card.uuid: card for check in self.checks for card in check.cards if card.uuid and card.is_located}

    @cached_property
    def coverage(self) -> Coverage:
        """Declared cards against measured ones; asked for by verdict, page and certificate, over all figures."""
        return coverage_of(self.checks, self.header.declared_hosts, self.header.excused_cards)

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """Root causes, the deepest layer first; asked for by terminal, page, JUnit and pytest's report."""
        return tuple(diagnose(self.checks))

    def card_of(self, host: str, device: str) -> str:
        """UUID of a device of a host or guest; "" where it is not known."""
        found = next((facts for facts in self.hosts if facts.host == host), None)
        return next((card.uuid for card in found.cards if card.index == device), "") if found else ""


def _is_before(one: str, other: str) -> bool:
    """Whether one moment is before another; what is no moment with its zone is not in order either."""
    try:
        return datetime.fromisoformat(one) < datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return True


TYPES: dict[str, type[Any]] = {name: kind for kind, name in KINDS.items()}
_KIND = re.compile(rb'\{"kind": ?"(\w+)"')


def lines(path: Path, chains: list[Chain] | None = None) -> Iterator[Line | None]:
    """Each line of a run's files (a directory, or one file); None for one that a kill cut off.

    `chains` takes what is known of each file's chain.

    Raises:
        InputError: there is no such run, or a line is whole and yet none of this schema.
    """
    files = _files(path)
    if not files:
        raise InputError(f"{path} is no run: it has no {RECORDS}", remedy=called("reports", "list"))
    for file in files:
        chain = Chain(file.name)
        if chains is not None:
            chains.append(chain)
        with file.open("rb") as stream:
            for number, text in enumerate(iter(partial(stream.readline, LINE_LIMIT_BYTES), b""), start=1):
                if len(text) == LINE_LIMIT_BYTES:
                    raise InputError(f"{file}, line {number}: is longer than any line of a run")
                if text.strip():
                    line = _line(text, f"{file}, line {number}")
                    chain.follow(number, text, is_readable=line is not None)
                    yield line


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path, *sorted(path.parent.glob("records.*.jsonl"))] if path.name == RECORDS else [path]
    return [file for file in (path / RECORDS, *sorted(path.glob("records.*.jsonl"))) if file.is_file()]


def _line(text: bytes, where: str) -> Line | None:
    found = _KIND.match(text)
    name = found.group(1).decode() if found else _kind_of(text)
    if name is None:
        return None
    if name not in TYPES:
        raise InputError(f"{where}: {name!r} is no kind of record; known are {', '.join(TYPES)}")
    try:
        line: Line = ADAPTERS[TYPES[name]].validate_json(text, strict=True)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] == "json_invalid":
            return None
        raise InputError(f"{where}: {_mistakes(error)}", remedy=f"the schema is {SCHEMA}") from None
    except MeasurementError as error:
        raise InputError(f"{where}: {error}", remedy=f"the schema is {SCHEMA}") from None
    return line


def _kind_of(text: bytes) -> str | None:
    """The kind of a line that another writer wrote; None where it is no JSON object."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return str(data.get("kind", "")) if isinstance(data, dict) else None


def _mistakes(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    shown = [f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}" for mistake in found[:5]]
    return "; ".join([*shown, f"and {len(found) - 5} more"] if len(found) > 5 else shown)


@without_collector()
def read(path: Path) -> Run:
    """The whole run.

    Raises:
        InputError: no run, one of another schema, or lines that contradict each other.
    """
    headers: list[RunHeader] = []
    ends: list[RunEnd] = []
    checks: dict[tuple[str, str, str], CheckRecord] = {}
    hosts: dict[str, HostFacts] = {}
    unreadable = 0
    chains: list[Chain] = []
    for line in lines(path, chains):
        match line:
            case None:
                unreadable += 1
            case CheckRecord():
                key = (line.id, line.place, line.test)
                checks[key] = min(checks.get(key, line), line, key=lambda check: WORST_FIRST.index(check.verdict))
            case HostFacts():
                hosts[line.host] = line
            case RunHeader():
                headers.append(_supported(line, path))
            case RunEnd():
                ends.append(line)
    header, end = _one(headers, "first line", path), _one(ends, "end", path)
    if header is None:
        raise InputError(f"{path} is no run: its first line is not that of a run")
    before = end.unreadable_lines if end else 0
    altered = [place for chain in chains for place in chain.breaks]
    altered += [f"{end.altered_lines} lines before its files were merged"] if end and end.altered_lines else []
    return Run(
        header,
        tuple(checks.values()),
        tuple(hosts[name] for name in sorted(hosts)),
        end,
        unreadable + before,
        tuple(altered),
        any(chain.linked_lines for chain in chains),
    )


def _supported(header: RunHeader, path: Path) -> RunHeader:
    if header.schema_version not in READABLE_VERSIONS:
        raise InputError(
            f"{path} was written in version {header.schema_version} of the records; this suite reads "
            f"{' and '.join(map(str, READABLE_VERSIONS))}",
            remedy=f"read it with the suite that wrote it, version {header.suite_version}",
        )
    return header


def _one(found: list[Kind], what: str, path: Path) -> Kind | None:
    if len(found) > 1:
        raise InputError(
            f"{path} has {len(found)} lines of a run's {what}: it is more than one run, or was changed",
            remedy="give each run a directory of its own",
        )
    return found[0] if found else None


def merge(directory: Path, end: RunEnd | None = None) -> Run:
    """Put all workers' lines into records.jsonl, by time, and end the run; safe to repeat."""
    run = read(directory)
    last = end or run.end
    altered = max(len(run.altered), run.end.altered_lines if run.end else 0)
    last = replace(last, unreadable_lines=run.unreadable_lines, altered_lines=altered) if last else None
    ordered = tuple(sorted(run.checks, key=lambda check: (check.started, check.test)))
    write_atomically(directory / RECORDS, text_of(replace(run, checks=ordered, end=last)))
    for file in directory.glob("records.*.jsonl"):
        file.unlink()
    return read(directory)


def text_of(run: Run) -> bytes:
    """All lines of a run as its file has them, chained."""
    all_lines: list[Line] = [run.header, *run.hosts, *run.checks, *([run.end] if run.end else [])]
    return b"".join(chained(map(body_of, all_lines)))


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
