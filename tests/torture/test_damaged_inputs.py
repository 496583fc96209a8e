"""Damaged cloud files, records, certificates and answers of hosts: told in words, never believed, never a traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from made_keys import SIGNER
from made_runs import check, made_run
from run_maker import Shape, lines

from access.errors import InputError
from access.host import CommandOutput
from access.terminal import printable
from cloud_file.loading import CLOUDS_DIRECTORY, load
from judging.notes import Notes
from judging.outcome import Outcome
from judging.records import CheckRecord, Verdict
from reports.certification.certificate import content_of, verify
from reports.certification.certificate import write as write_certificate
from reports.chain import chained
from reports.diagnosis import diagnose
from reports.junit import junit
from reports.page import render
from reports.records import RECORDS, RunEnd, RunHeader, RunWriter, body_of
from reports.run import read
from reports.unjudged import unjudged_of

CLOUDS = {path.stem: path.read_bytes() for path in [*CLOUDS_DIRECTORY.rglob("*.yaml")]}
MADE = list(chained(map(body_of, lines(Shape(hosts=1, cards=2, checks_per_host=6, repetitions=1)))))
patient = settings(deadline=None)
"""The first page compiles its templates, and a nightly machine is shared."""
HOSTILE = (
    "\x1b[2J",
    "\x00",
    "\ud800",
    "<script>alert(1)</script>",
    "]]>",
    "nan",
    "1e999",
    "{{ 7 }}",
    "%s",
    "\u202e",
    "a\nb",
    "'; --",
)
TEXTS = st.text(max_size=200) | st.sampled_from(HOSTILE)
WORDS = st.sampled_from([*b"null true [] {} -1 1e999 .nan 99999999999999999999 ' \" &a *a !!x".split(), b"- ", b": "])


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes of a file with a few places cut, doubled, swapped or written over."""
    data = whole
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        new = draw(st.binary(max_size=20) | WORDS | st.just(data[start:end] * 2) | st.just(b""))
        data = data[:start] + new + data[end:]
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples: each writes its files over those of the one before."""
    return tmp_path_factory.mktemp("damaged")


@patient
@given(data=st.data())
def test_a_damaged_cloud_file_is_read_or_told(folder: Path, data: st.DataObject) -> None:
    """Every mistake is one of the file, in words."""
    name = data.draw(st.sampled_from(sorted(CLOUDS)))
    file = folder / f"{name}.yaml"
    file.write_bytes(data.draw(damaged(CLOUDS[name])))

    with suppress(InputError):
        load(file)


@patient
@given(data=st.data())
def test_damaged_records_are_never_accepted(folder: Path, data: st.DataObject) -> None:
    """Refused with the line, or read and not accepted; whatever can be read has a page and JUnit."""
    whole = b"".join(MADE)
    changed = data.draw(damaged(whole))
    run = folder / "run"
    run.mkdir(exist_ok=True)
    (run / RECORDS).write_bytes(changed)

    try:
        found = read(run)
    except InputError:
        return
    if changed.split() != whole.split():
        note(repr(found.doubts))
        assert found.outcome is not Outcome.ACCEPTED
    render(found)
    ET.fromstring(junit(found))  # noqa: S314  our own


@patient
@given(order=st.permutations(range(len(MADE))), count=st.integers(1, len(MADE)))
def test_lines_that_are_moved_or_lost_are_never_accepted(folder: Path, order: list[int], count: int) -> None:
    """Only the whole file in its order is."""
    run = folder / "moved"
    run.mkdir(exist_ok=True)
    chosen = order[:count]
    (run / RECORDS).write_bytes(b"".join(MADE[number] for number in chosen))

    try:
        outcome = read(run).outcome
    except InputError:
        return
    assert (outcome is Outcome.ACCEPTED) == (chosen == list(range(len(MADE))))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genuine certificate."""
    directory = tmp_path_factory.mktemp("certificate") / "genuine"
    write_certificate(directory, content_of(made_run(), (), rehearsal=False), SIGNER)
    return directory


@patient
@given(data=st.data())
def test_a_damaged_certificate_is_not_genuine(certificate: Path, folder: Path, data: st.DataObject) -> None:
    """One file of it changed, lost, added, or in the place of another."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(certificate, copy)
    names = sorted(os.listdir(copy))
    name, other = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
    before = (copy / name).read_bytes()
    match data.draw(st.sampled_from(["changed", "lost", "added", "swapped", "linked"])):
        case "changed":
            (copy / name).write_bytes(data.draw(damaged(before)))
        case "lost":
            (copy / name).unlink()
        case "added":
            (copy / f"{name}.more").write_bytes(before)
        case "swapped":
            (copy / name).write_bytes((copy / other).read_bytes())
        case "linked":
            (copy / name).unlink()
            (copy / name).symlink_to(certificate / name)
    is_same = sorted(os.listdir(copy)) == names and all(
        not (copy / each).is_symlink() and (copy / each).read_bytes() == (certificate / each).read_bytes()
        for each in names
    )

    _, mistakes = verify(copy, SIGNER.public_key)

    assert (not mistakes) == is_same


@patient
@given(command=TEXTS, output=TEXTS, error=TEXTS, place=TEXTS, code=st.integers(-300, 300))
def test_what_a_host_answers_acts_nowhere(
    folder: Path, command: str, output: str, error: str, place: str, code: int
) -> None:
    """From the answer through record, file and reading to page, JUnit and terminal."""
    notes = Notes()
    notes.command(CommandOutput(place, command, code, output, error, 0.1))
    record = CheckRecord(
        "host.gpu.present",
        place,
        Verdict.FAILED if code % 2 else Verdict.ERROR,
        f"test[{place}]",
        "A fact.",
        message=error,
        cause="cause",
        fix=command,
        file=output,
        evidence=tuple(notes.evidence),
        found=output,
        started="2026-03-01T02:00:00.000+00:00",
    )
    directory = folder / "answer"
    shutil.rmtree(directory, ignore_errors=True)
    writer = RunWriter(directory, RunHeader(place or "c", False, "2026-03-01T02:00:00.000+00:00"))
    writer.write(record)
    writer.append(RunEnd("2026-03-01T02:01:00.000+00:00", Outcome.COULD_NOT_JUDGE, 69))

    run = read(directory)

    assert (run.altered, run.unreadable_lines) == ((), 0)
    assert run.outcome is not Outcome.ACCEPTED
    assert "<script>alert" not in render(run)
    ET.fromstring(junit(run))  # noqa: S314  our own
    for line in _terminal_lines(run.checks):
        assert all(ord(character) >= 0x20 or character in "\n\t" for character in line)


def _terminal_lines(checks: tuple[CheckRecord, ...]) -> Iterator[str]:
    for cause in diagnose(checks):
        yield from map(printable, cause.lines())
    yield from map(printable, unjudged_of(checks))


def test_the_undamaged_inputs_are_good(folder: Path, certificate: Path) -> None:
    """Else the tests above would prove nothing."""
    whole = folder / "whole"
    whole.mkdir()
    (whole / RECORDS).write_bytes(b"".join(MADE))

    assert read(whole).outcome is Outcome.ACCEPTED
    assert verify(certificate, SIGNER.public_key)[1] == []
    assert json.loads(MADE[0])["kind"] == "run"
    assert check("host.gpu.present").verdict is Verdict.PASSED
    assert all(load(path) for path in (CLOUDS_DIRECTORY / "examples").glob("*.yaml"))
