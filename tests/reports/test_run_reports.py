"""What stands in a run's directory when pytest has ended: records, pytest's report, the acceptance page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from run_maker import Shape, lines, write
from suite_runner import run_suite
from test_schema import SUITE

from judging.records import CheckRecord
from reports import pytest_report
from reports.records import json_line
from reports.run import read


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three checks on two workers, one of which fails."""
    directory = tmp_path_factory.mktemp("suite")
    run_suite(directory, SUITE, "-n", "2")
    return directory / "run"


def test_the_page_is_written_at_the_end(run: Path) -> None:
    """With the cause that pytest's report has, and without secrets."""
    page = (run / "acceptance.html").read_text(encoding="utf-8")

    assert "Rejected" in page
    assert "/etc/default/grub:6" in page
    assert "hidden" not in page.split('id="checks"')[1].split("<pre")[1].split("</pre>")[0]
    assert "&lt;b&gt;12.5&lt;/b&gt;" in page


def test_pytests_report_has_host_evidence_and_figures_in_each_row(run: Path) -> None:
    """Beside pytest-html's own columns."""
    report = (run / "report.html").read_text(encoding="utf-8")

    assert "SIMULATED HARDWARE" in report
    assert "one-card" in report
    assert "bandwidthTest" in report
    assert "bandwidth.h2d 12.50 GB/s" in report
    assert "<b>12.5</b>" not in report


def test_a_page_that_fails_is_said_and_changes_nothing_else(tmp_path: Path) -> None:
    """Verdict, exit code and records stay; the terminal says what to do."""
    (tmp_path / "run" / "acceptance.html").mkdir(parents=True)  # where a page cannot be put

    run_suite(tmp_path, SUITE)

    run = tmp_path / "run"
    said = (tmp_path / "stdout").read_text(encoding="utf-8")
    assert "NO PAGE: IsADirectoryError" in said
    assert f"python -m reports page {run}" in said
    assert '"outcome": "rejected"' in (run / "records.jsonl").read_text(encoding="utf-8")


def test_pytests_report_has_the_verdict_and_what_readers_need(run: Path) -> None:
    """Written before there was a verdict, it has it all the same; language, names of filters, one of each."""
    report = (run / "report.html").read_text(encoding="utf-8")

    assert report.count('<section class="acceptance rejected"') == 1
    assert "1 of 3 checks failed, from 1 root cause." in report
    assert '<a href="acceptance.html">' in report
    assert '<html lang="en">' in report
    assert report.count('<meta name="viewport"') == 1
    assert report.count('<div class="results-box" tabindex="0"') == 1
    assert 'data-test-result="failed" aria-label="failed"' in report
    assert "min-width: 0;" in report
    assert (run / "report.html").stat().st_mode & 0o777 == 0o600


def test_a_verdict_that_changed_is_put_in_place_of_the_old_one(tmp_path: Path) -> None:
    """As often as the end of a session is judged; what a host said is text."""
    evil = Shape(broken_hosts=1)
    made = [
        replace(line, fix="</section><script>alert(1)</script>") if isinstance(line, CheckRecord) else line
        for line in lines(evil)
    ]
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "records.jsonl").write_text("".join(map(json_line, made)), encoding="utf-8")
    before = f"<html>\n  <head>\n</head><body>{pytest_report.PLACE}</body></html>"

    accepted = pytest_report.made_whole(before, read(write(tmp_path / "good", Shape())))
    rejected = pytest_report.made_whole(accepted, read(tmp_path / "evil"))

    assert "acceptance accepted" in accepted
    assert "acceptance accepted" not in rejected
    assert rejected.count("<section") == rejected.count("</section>") == 1
    assert "<script>" not in rejected
    assert pytest_report.made_whole(rejected, read(tmp_path / "evil")) == rejected
    assert pytest_report.made_whole("<html>no place</html>", read(tmp_path / "evil")) == (
        '<html lang="en">no place</html>'
    )
