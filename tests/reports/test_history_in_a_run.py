"""A run of pytest with the acceptance's plugins: loaded at its end, judged by its past, in spite of any database."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from made_runs import nights

from reports.__main__ import main
from reports.history.database import open_file
from reports.history.loading import load
from reports.history.nights import runs_of
from reports.run import read
from tests.forked_pytest import run_pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CLOUD = (
    "kind: host\nhosts: [{name: a, role: any, address: localhost, gpus: [{model: T4, count: 1}]}]\n"
    "runs_directory: %s\nhistory: {%s}\n"
)
SUITE = """
import pytest
from judging.records import Measurement

@pytest.mark.check("cuda.bandwidth")
def test_bandwidth(notes):
    'It copies.'
    card = "GPU-00000002-aaaa-bbbb-cccc-dddddddddddd"
    notes.measurements.append(Measurement("bandwidth.h2d", {value}, "GB/s", "one-card", "0", 1, card=card))
"""
PLUGINS = ("cloud_fixtures", "record_fixtures", "history_fixtures", "junit_fixtures")
JUDGED = "slower_than_past: {nights: 14}"


def accept(
    directory: Path, value: float, history: str = "", *options: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run one test that measures `value` on a cloud named cloud-1."""
    (directory / "cloud-1.yaml").write_text(CLOUD % (directory, history))
    (directory / "test_one.py").write_text(SUITE.replace("{value}", str(value)))
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'fixtures'}", **variables}
    plugins = [word for name in PLUGINS for word in ("-p", name)]
    words = ["-p", "no:cacheprovider", "-p", "no:html", *plugins, "test_one.py"]
    words += ["--cloud", str(directory / "cloud-1.yaml"), "--run-dir", str(directory / "run"), *options]
    return run_pytest(*words, cwd=directory, environment=environment)


@pytest.fixture
def with_past(tmp_path) -> Path:
    """Fourteen nights of that card at 11.9 GB/s."""
    database = open_file(tmp_path / "history.db")
    for run in nights(14):
        load(database, run)
    database.close()
    return tmp_path


def test_each_run_is_loaded_at_its_end(tmp_path):
    """And leaves JUnit XML beside its records; without a past nothing is compared, and that is said."""
    done = accept(tmp_path, 11.9, JUDGED)

    assert done.returncode == 0, done.stdout
    assert "history: not compared with its own past: 7 of 7 nights are missing" in done.stdout
    (kept,) = runs_of(open_file(tmp_path / "history.db"))
    assert kept.cloud == "cloud-1"
    assert (kept.outcome, kept.exit_code) == ("accepted", 0)
    assert (tmp_path / "run" / "junit.xml").read_text().count("<testcase") == 2


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_slower_than_its_own_past_rejects_the_run(with_past, workers):
    """Exit code 1; the record, the terminal and the JUnit file say the same."""
    done = accept(with_past, 10.7, JUDGED, *workers)

    assert done.returncode == 1, done.stdout
    assert "REJECTED  history.slower_than_past [one-card]: slower_than_past" in done.stdout
    assert "10.7 GB/s, in 14 nights before 11.89: 10.0 % slower" in done.stdout
    records = {record.id: record for record in read(with_past / "run").checks}
    assert records["history.slower_than_past"].verdict == "failed"
    assert runs_of(open_file(with_past / "history.db"))[-1].outcome == "rejected"
    assert "<failure" in (with_past / "run" / "junit.xml").read_text()


@pytest.mark.parametrize(("value", "history"), [(10.7, ""), (11.8, JUDGED)], ids=["not asked for", "not slower"])
def test_it_is_accepted_otherwise(with_past, value, history):
    """The cloud file decides whether the past judges."""
    done = accept(with_past, value, history)

    assert done.returncode == 0, done.stdout


def test_a_database_that_cannot_be_reached_changes_no_verdict(tmp_path):
    """It is said once, without the password, and how to load the run later."""
    url = "postgresql://user:very-secret@127.0.0.1:1/none"

    done = accept(tmp_path, 11.9, "url: {env: HISTORY_URL}, " + JUDGED, HISTORY_URL=url)

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("the history in postgresql+psycopg://user:***@127.0.0.1:1/none cannot be used") == 1
    assert "the verdict does not rest on it" in done.stdout
    assert "very-secret" not in done.stdout + done.stderr + (tmp_path / "run" / "records.jsonl").read_text()
    assert main(["load", str(tmp_path / "run"), "--database", str(tmp_path / "later.db")]) == 0


def test_a_url_in_the_cloud_file_is_refused_and_not_shown(tmp_path):
    """Secrets stand there by reference only."""
    done = accept(tmp_path, 11.9, "url: 'postgresql://user:very-secret@db/x'")

    assert done.returncode == 4
    assert "history.url" in done.stderr + done.stdout
    assert "very-secret" not in done.stdout + done.stderr


def test_junit_xml_goes_where_it_was_asked_for(tmp_path):
    """pytest's own option, our content."""
    done = accept(tmp_path, 11.9, "", "--junit-xml", str(tmp_path / "elsewhere" / "j.xml"))

    assert done.returncode == 0, done.stdout
    assert "run.outcome" in (tmp_path / "elsewhere" / "j.xml").read_text()
    assert not (tmp_path / "run" / "junit.xml").exists()
