"""Records are chained: what was edited, lost, moved or added after the run is seen, and is never accepted."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import made_run, write
from run_maker import Shape, lines

from judging.outcome import Outcome
from judging.records import Verdict
from reports.certification.certificate import CannotCertify, refuse
from reports.records import RECORDS, RunWriter, json_line
from reports.run import merge, read, text_of

Lines = list[bytes]


def edited(field: bytes, value: bytes, number: int = 2) -> Callable[[Lines], Lines]:
    """One field of one line changed by hand."""

    def change(found: Lines) -> Lines:
        changed = list(found)
        changed[number] = found[number].replace(field, value, 1)
        assert changed != found
        return changed

    return change


def reformatted(found: Lines) -> Lines:
    """A program read and wrote one line again, in its own style."""
    return [*found[:3], json.dumps(json.loads(found[3]), separators=(",", ":")).encode() + b"\n", *found[4:]]


def without_hash(found: Lines) -> Lines:
    """The hash of one line was taken out."""
    data = json.loads(found[3])
    del data["chain"]
    return [*found[:3], json.dumps(data).encode() + b"\n", *found[4:]]


CHANGES: dict[str, Callable[[Lines], Lines]] = {
    "simulated made real": edited(b'"simulated": true', b'"simulated": false'),
    "simulated made real in the head": edited(b'"simulated": true', b'"simulated": false', 0),
    "another host": edited(b"compute-0", b"compute-1"),
    "a better exit code": edited(b'"exit_code": 1', b'"exit_code": 0', -1),
    "a better outcome": edited(b"rejected", b"accepted", -1),
    "a better verdict": edited(b'"verdict": "failed"', b'"verdict": "passed"', 3),
    "a line lost": lambda found: [*found[:4], *found[5:]],
    "the first check lost": lambda found: [found[0], *found[2:]],
    "two lines swapped": lambda found: [*found[:4], found[5], found[4], *found[6:]],
    "a line twice": lambda found: [*found[:4], found[4], *found[4:]],
    "a line of another run": lambda found: [*found[:4], _of_another_run()[4], *found[4:]],
    "written again by a program": reformatted,
    "without its hash": without_hash,
    "a blank more": edited(b'"kind": "check",', b'"kind": "check", ', 2),
}


def _of_another_run() -> Lines:
    return _lines(Shape(hosts=2, broken_hosts=0), "made-20260302T020000Z-0000")


def _lines(shape: Shape, name: str = "made-20260301T020000Z-0000") -> Lines:
    from reports.chain import chained
    from reports.records import body_of

    return list(chained(map(body_of, lines(shape, name))))


REJECTED = Shape(hosts=2, broken_hosts=1, simulated=True)


def _run(directory: Path, found: Lines) -> Path:
    (directory / RECORDS).write_bytes(b"".join(found))
    return directory


def test_what_a_run_writes_is_whole(tmp_path: Path) -> None:
    """By the writer line by line, and by the merging at the end."""
    writer = RunWriter(tmp_path, made_run().header)
    for line in (*made_run().hosts, *made_run().checks):
        writer.append(line)
    before = read(tmp_path)
    merged = merge(tmp_path, made_run().end)

    assert (before.is_chained, before.altered) == (True, ())
    assert (merged.is_chained, merged.altered, merged.outcome) == (True, (), Outcome.ACCEPTED)


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_is_seen_where_it_stands(tmp_path: Path, case: str) -> None:
    """The first altered line is named; nobody accepts or certifies such a run."""
    changed = CHANGES[case](_lines(REJECTED))

    run = read(_run(tmp_path, changed))

    assert run.altered
    assert run.outcome is not Outcome.ACCEPTED
    assert "its records were changed" in " ".join(run.doubts)


def test_an_edited_run_is_not_certified(tmp_path: Path) -> None:
    """`simulated` edited to real in every line, as sed does it."""
    found = [line.replace(b'"simulated": true', b'"simulated": false') for line in _lines(Shape(simulated=True))]

    with pytest.raises(CannotCertify, match="not as the run wrote them"):
        refuse(read(_run(tmp_path, found)), rehearsal=False)


def test_a_run_without_a_chain_is_read_and_not_certified(tmp_path: Path) -> None:
    """Runs of older suites stay readable; taking out all hashes wins nothing."""
    (tmp_path / RECORDS).write_text("".join(map(json_line, lines(Shape()))), encoding="utf-8")
    run = read(tmp_path)

    assert (run.is_chained, run.altered, run.outcome) == (False, (), Outcome.ACCEPTED)
    with pytest.raises(CannotCertify, match="not chained"):
        refuse(run, rehearsal=False)


def test_what_was_altered_before_the_files_were_merged_is_remembered(tmp_path: Path) -> None:
    """The merged file has a chain of its own; how many lines did not fit stands in its end."""
    write(replace(made_run(), end=None), tmp_path)
    found = (tmp_path / RECORDS).read_bytes().replace(b"compute-0", b"compute-9", 1)
    (tmp_path / RECORDS).write_bytes(found)

    merged = merge(tmp_path, made_run().end)
    again = merge(tmp_path)

    assert merged.altered == again.altered == ("1 lines before its files were merged",)
    assert merged.outcome is Outcome.COULD_NOT_JUDGE


def test_a_line_that_a_kill_cut_off_is_no_edit(tmp_path: Path) -> None:
    """It is counted as unreadable, and what follows it is not blamed."""
    found = _lines(Shape())

    run = read(_run(tmp_path, [*found[:4], found[4][:50] + b"\n", *found[5:]]))

    assert (run.unreadable_lines, run.altered) == (1, ())


def test_a_certificates_records_are_chained(tmp_path: Path) -> None:
    """What goes into a certificate is read as whole again."""
    (tmp_path / RECORDS).write_bytes(text_of(made_run()))

    assert (read(tmp_path).is_chained, read(tmp_path).altered) == (True, ())


def test_any_changed_byte_is_seen(tmp_path: Path) -> None:
    """A few hundred random ones: refused, unreadable, or altered, and never accepted."""
    found = b"".join(_lines(Shape(hosts=1, cards=1, checks_per_host=4)))
    chance = random.Random(1)  # noqa: S311  the same bytes each time
    for _ in range(300):
        changed = bytearray(found)
        place = chance.randrange(len(found))
        changed[place] = chance.choice([byte for byte in b' "0azZ,' if byte != changed[place]])
        (tmp_path / RECORDS).write_bytes(bytes(changed))
        assert not _is_accepted(tmp_path), changed[max(0, place - 40) : place + 40]


def _is_accepted(directory: Path) -> bool:
    from access.errors import InputError

    try:
        return read(directory).outcome is Outcome.ACCEPTED
    except InputError:
        return False


def test_a_rejection_without_its_failed_check_contradicts_itself() -> None:
    """Even if somebody made the chain again."""
    run = made_run()
    assert run.end is not None
    rejected = replace(run, end=replace(run.end, outcome=Outcome.REJECTED, exit_code=1))

    assert rejected.contradictions
    assert {check.verdict for check in run.checks} == {Verdict.PASSED}
    assert rejected.outcome is Outcome.COULD_NOT_JUDGE
