"""What a run writes can be read again, to its last whole line, and what is forged is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_maker import Shape, lines, write

from access.errors import InputError, MeasurementError
from judging.outcome import Outcome, outcome_of
from judging.records import CheckRecord, Evidence, Measurement, Verdict
from reports.records import RunEnd, RunHeader, RunWriter, json_line
from reports.run import merge, read

TEXT = st.text(max_size=30)
FIGURE = st.floats(allow_nan=False, allow_infinity=False)
MEASUREMENTS = st.builds(Measurement, TEXT, FIGURE, TEXT, TEXT, TEXT, st.integers(0, 9), st.none() | FIGURE)
EVIDENCE = st.builds(Evidence, TEXT, TEXT, st.integers(-255, 255), TEXT, st.floats(0, 10))
CHECKS = st.builds(
    CheckRecord,
    TEXT,
    TEXT,
    st.sampled_from(Verdict),
    TEXT,
    TEXT,
    message=TEXT,
    source=TEXT,
    started=TEXT,
    rests_on=st.lists(TEXT, max_size=2).map(tuple),
    evidence=st.lists(EVIDENCE, max_size=2).map(tuple),
    measurements=st.lists(MEASUREMENTS, max_size=3).map(tuple),
    line_number=st.none() | st.integers(1, 99),
)
HEADER = RunHeader("mine", False, "2026-03-01T02:00:00+00:00", "mine-1")
END = RunEnd("2026-03-01T03:00:00+00:00", Outcome.ACCEPTED, 0)
PASSED = CheckRecord("host.a", "compute-0", Verdict.PASSED, "t::a", "A fact.")


def _file(directory: Path, *texts: str) -> Path:
    directory.mkdir(exist_ok=True, parents=True)
    (directory / "records.jsonl").write_text("".join(texts), encoding="utf-8")
    return directory


@given(st.lists(CHECKS, max_size=4, unique_by=lambda check: (check.id, check.place, check.test)))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, checks: list[CheckRecord]) -> None:
    """Whatever a host printed: every check comes back as it was."""
    directory = tmp_path_factory.mktemp("run")
    writer = RunWriter(directory, HEADER)
    for check in checks:
        writer.write(check)
    writer.append(END)

    run = read(directory)

    assert (run.header, list(run.checks), run.end, run.unreadable_lines) == (HEADER, checks, END, 0)


@given(st.data())
def test_a_killed_run_is_readable_to_its_last_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut anywhere after the header: whole lines are there, at most one is counted as unreadable, none is accepted."""
    written = [json_line(line).encode() for line in lines(Shape(hosts=1, cards=1, output_chars=40))]
    whole = b"".join(written)
    cut = data.draw(st.integers(len(written[0]), len(whole) - 2))
    directory = tmp_path_factory.mktemp("run")
    (directory / "records.jsonl").write_bytes(whole[:cut])

    run = read(directory)

    rest = whole[:cut].rpartition(b"\n")[2]
    complete = whole[:cut].count(b"\n") + (rest + b"\n" in written)
    assert 1 + len(run.hosts) + len(run.checks) == complete
    assert run.unreadable_lines == int(bool(rest) and rest + b"\n" not in written)
    assert run.outcome is not Outcome.ACCEPTED


def test_a_cut_line_is_remembered_when_the_run_is_merged(tmp_path: Path) -> None:
    """Merging removes the broken line, and the run's end says that there was one."""
    _file(tmp_path, json_line(HEADER), json_line(PASSED))
    (tmp_path / "records.gw0.jsonl").write_text(json_line(replace(PASSED, id="host.b"))[:-20], encoding="utf-8")

    merge(tmp_path, END)
    run = merge(tmp_path)

    assert run.unreadable_lines == 1
    assert run.outcome is Outcome.COULD_NOT_JUDGE
    assert [file.name for file in tmp_path.iterdir()] == ["records.jsonl"]


def test_workers_lines_are_merged_by_time(tmp_path: Path) -> None:
    """Each worker's file is one stream; the merged file has the run's order, and each line once."""
    early, late = replace(PASSED, id="host.b", started="1"), replace(PASSED, started="2")
    _file(tmp_path, json_line(HEADER), json_line(late))
    (tmp_path / "records.gw0.jsonl").write_text(json_line(late) + json_line(early), encoding="utf-8")

    assert merge(tmp_path, END).checks == (early, late)


def test_the_worse_of_two_lines_for_one_check_counts(tmp_path: Path) -> None:
    """A line put behind a failure does not hide it."""
    failed = replace(PASSED, verdict=Verdict.FAILED)

    run = read(_file(tmp_path, json_line(HEADER), json_line(failed), json_line(PASSED), json_line(END)))

    assert run.checks == (failed,)
    assert run.outcome is Outcome.REJECTED


def _changed(line: str, **changes: object) -> str:
    return json.dumps({**json.loads(line), **changes}) + "\n"


FORGERIES = {
    "another schema": ([_changed(json_line(HEADER), schema_version=99)], "version 99"),
    "two headers": ([json_line(HEADER), json_line(replace(HEADER, id="mine-2"))], "more than one run"),
    "two ends": ([json_line(HEADER), json_line(END), json_line(END)], "more than one run"),
    "no header": ([json_line(PASSED)], "first line"),
    "unknown verdict": ([json_line(HEADER), _changed(json_line(PASSED), verdict="fine")], "line 2: verdict"),
    "a number as text": ([json_line(HEADER), _changed(json_line(PASSED), duration_s="1")], "line 2: duration_s"),
    "unknown kind": ([json_line(HEADER), _changed(json_line(PASSED), kind="chck")], "'chck' is no kind"),
    "no kind": ([json_line(HEADER), '{"id": "host.a"}\n'], "'' is no kind"),
    "a check without id": ([json_line(HEADER), '{"kind": "check", "place": ""}\n'], "line 2: id"),
    "cards that are none": ([json_line(HEADER), '{"kind": "host", "host": "a", "facts": {}, "cards": [1]}\n'], "cards"),
    "no file": ([], "first line"),
}


@pytest.mark.parametrize(("texts", "said"), FORGERIES.values(), ids=FORGERIES)
def test_a_forged_run_is_refused(tmp_path: Path, texts: list[str], said: str) -> None:
    """The error says what is wrong, and in which line."""
    with pytest.raises(InputError, match=said):
        read(_file(tmp_path, *texts))


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_figure_is_a_finite_number(tmp_path: Path, figure: str) -> None:
    """A measurement that is no number can be neither made nor read."""
    with pytest.raises(MeasurementError, match="no finite figure"):
        Measurement("bandwidth.h2d", float(figure), "GB/s", "one", "0", 1)

    line = json_line(replace(PASSED, measurements=(Measurement("m", 12345.0, "GB/s", "one", "0", 1),)))
    with pytest.raises(InputError, match="line 2"):
        read(_file(tmp_path, json_line(HEADER), line.replace("12345.0", figure)))


def test_a_file_that_is_no_run_says_so(tmp_path: Path) -> None:
    """A directory without records names what is missing."""
    with pytest.raises(InputError, match=r"records\.jsonl"):
        read(tmp_path)


def test_fields_of_a_newer_suite_are_passed_over(tmp_path: Path) -> None:
    """A field that is only added keeps the schema's version."""
    newer = _changed(json_line(PASSED), added={"by": "a newer suite"})

    assert read(_file(tmp_path, json_line(HEADER), newer)).checks == (PASSED,)


def test_an_end_makes_a_run_no_better_than_its_checks(tmp_path: Path) -> None:
    """An end that says accepted over a failed or unverified check, or over none, is not believed."""
    for verdict, outcome in ((Verdict.FAILED, Outcome.REJECTED), (Verdict.NOT_VERIFIED, Outcome.COULD_NOT_JUDGE)):
        run = read(_file(tmp_path, json_line(HEADER), json_line(replace(PASSED, verdict=verdict)), json_line(END)))
        assert run.outcome is outcome
    assert read(_file(tmp_path, json_line(HEADER), json_line(END))).outcome is Outcome.COULD_NOT_JUDGE


def test_simulated_hardware_shows_in_any_line(tmp_path: Path) -> None:
    """A header that says real does not hide a check on simulated hardware."""
    run = read(_file(tmp_path, json_line(HEADER), json_line(replace(PASSED, simulated=True)), json_line(END)))

    assert run.simulated


@given(st.lists(st.sampled_from(Verdict)))
def test_only_passed_checks_are_accepted(verdicts: list[Verdict]) -> None:
    """Not verified is never passed, and nothing at all is not accepted."""
    outcome = outcome_of(replace(PASSED, verdict=verdict) for verdict in verdicts)

    assert (outcome is Outcome.ACCEPTED) == (set(verdicts) == {Verdict.PASSED})
    assert (outcome is Outcome.REJECTED) == (Verdict.FAILED in verdicts)


def test_the_made_runs_are_runs(tmp_path: Path) -> None:
    """The maker's runs read as they are meant."""
    assert read(write(tmp_path / "green")).outcome is Outcome.ACCEPTED
    assert read(write(tmp_path / "red", Shape(broken_hosts=1, slow_cards=1))).outcome is Outcome.REJECTED
    assert math.isclose(read(tmp_path / "green").checks[11].measurements[0].value, 11.9, rel_tol=0.05)
