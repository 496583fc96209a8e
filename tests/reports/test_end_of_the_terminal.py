"""The terminal's end and beginning: the verdict last, nothing left behind by a question, no inside of Python shown."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from run_maker import Shape, write
from suite_runner import run_suite
from test_schema import SUITE

from access import interruption, progress
from judging.outcome import Outcome
from reports.diagnosis import diagnose
from reports.history.nights import KeptRun
from reports.history.usual_time import usual_time
from reports.run import read
from reports.verdict_line import COLOURS, verdict_line, wrapped
from tests.forked_pytest import run_pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("options", [(), ("-q", "-n", "2")])
def test_the_last_line_is_the_verdict(tmp_path: Path, options: tuple[str, ...]) -> None:
    """After pytest's own, in colour where colours are shown."""
    run_suite(tmp_path, SUITE, "--color=yes", *options)

    shown = (tmp_path / "run" / "records.jsonl").parent.with_name("stdout").read_text(encoding="utf-8")
    told = [line for line in shown.splitlines() if "REJECTED" in line and "root cause" in line]
    assert len(told) == 1
    assert told[0].startswith("\x1b[1m\x1b[31mREJECTED (a part of the suites)  lab: ")
    assert shown.index("outcome: rejected") < shown.index(told[0])
    assert shown.index(" in ") < shown.index(told[0])


def test_the_verdicts_words_and_colours(tmp_path: Path) -> None:
    """Of an accepted run, a rejected one, and one whose records are not there."""
    accepted = read(write(tmp_path / "one", Shape(simulated=True)))
    rejected = read(write(tmp_path / "two", Shape(broken_hosts=1)))

    assert verdict_line(accepted) == "ACCEPTED  made: 24 passed, SIMULATED HARDWARE"
    assert verdict_line(rejected) == "REJECTED  made: 1 root cause; 2 failed, 3 blocked, 19 passed"
    part = read(write(tmp_path / "three", Shape(whole=False)))
    assert verdict_line(part) == "PASSED (a part of the suites)  made: 24 passed"
    assert verdict_line(None).startswith("COULD NOT JUDGE")
    assert set(COLOURS) == set(Outcome)


def test_a_question_leaves_no_folder(tmp_path: Path) -> None:
    """--help, --markers, --co, --list-checks and the like run nothing: no folder, not even an empty one."""
    cloud = tmp_path / "asked.yaml"
    lab = (REPOSITORY / "clouds" / "lab.yaml").read_text(encoding="utf-8")
    cloud.write_text(f"{lab}\nruns_directory: {tmp_path / 'runs'}\n", encoding="utf-8")
    for question in ("--help", "--markers", "--co", "--fixtures"):
        done = run_pytest("suites/preflight", "--cloud", str(cloud), question, "-q")
        assert done.returncode == 0, done.stdout + done.stderr

    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_fit_the_terminal_and_words_stay_whole(tmp_path: Path, width: int) -> None:
    """Of causes and of what was not verified; a log, which has no width, gets each in one piece."""
    causes = [line for cause in diagnose(read(write(tmp_path, Shape(broken_hosts=1))).checks) for line in cause.lines()]
    lines = [*causes, "BLOCKED  a, b [compute-0]: " + "no instance was made on this host, " * 9, "x" * 300, ""]
    for line in lines:
        pieces = wrapped(line, width)
        assert " ".join(pieces).split() == line.split()
        assert all(len(piece) <= width or " " not in piece.strip() for piece in pieces)
        assert all(piece.startswith("          ") for piece in pieces[1:])
        assert wrapped(line, None) == [line]


def _kept(minutes: float | None, *, whole: bool = True) -> KeptRun:
    started = datetime(2026, 11, 1, 22, tzinfo=UTC)
    ended = (started + timedelta(minutes=minutes)).isoformat() if minutes is not None else ""
    return KeptRun("r", "c", False, whole, started.isoformat(), ended, "accepted", 0)


def test_how_long_a_run_may_take_is_told_by_the_last_whole_ones() -> None:
    """Those that were cut off, ended before they began, or were a part say nothing; a single long one little."""
    runs = [_kept(90), *[_kept(2)] * 3, _kept(40), _kept(2.5), _kept(None), _kept(-3), _kept(0.1, whole=False)]

    assert usual_time(runs) == "about 2 min 0 s, as the last 5 whole runs"
    assert usual_time([_kept(0.5)]) == "about 30 s, as the last whole run"
    assert usual_time([_kept(None), _kept(1, whole=False)]) == ""


def test_progress_begins_a_line_of_its_own() -> None:
    """Whoever is in the midst of a line is asked to end it first, each time."""
    stream = io.StringIO()
    stream.write("suites/test_aliases.py ..")
    progress.before_each_line(lambda: stream.write("\n"))
    try:
        progress.Progress(stream).say("nodes")
    finally:
        progress.before_each_line(None)
    progress.Progress(stream).say("deploy")

    assert [line.partition("] ")[2] or line for line in stream.getvalue().splitlines()] == [
        "suites/test_aliases.py ..",
        "nodes",
        "deploy",
    ]


def test_an_interruption_that_nobody_catches_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any other error is shown as ever."""
    others: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: others.append(kind))
    interruption.told_shortly()

    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    sys.excepthook(ValueError, ValueError(), None)

    assert capsys.readouterr().err == "\ninterrupted before anything was run\n"
    assert others == [ValueError]
