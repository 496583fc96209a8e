"""What stands in a run's directory when pytest has ended: records, pytest's report, the acceptance page."""

from __future__ import annotations

from pathlib import Path

import pytest
from suite_runner import run_suite
from test_schema import SUITE


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
