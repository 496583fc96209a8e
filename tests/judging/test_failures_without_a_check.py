"""Every failure that pytest sees is a record: none of them is accepted, whatever the checks say."""

from __future__ import annotations

from pathlib import Path

import pytest
from suite_runner import run_suite

PASSING = """
import os, pytest
from access.errors import ProvisioningError
from access.host import CommandOutput


@pytest.mark.check("made.passing")
def test_passing(notes):
    \"\"\"A fact.\"\"\"
    notes.command(CommandOutput("here", "true", 0, "", "", 0.1))
"""
TEARDOWN = """

@pytest.fixture
def made():
    yield
    raise {error}


@pytest.mark.check("made.second")
def test_second(notes, made):
    \"\"\"A fact.\"\"\"
    notes.command(CommandOutput("here", "true", 0, "", "", 0.1))
"""
CASES = {
    "an unmarked test fails": ("\n\ndef test_plain():\n    assert 1 == 2\n", "run.test", "failed", 1),
    "an unmarked test breaks": ("\n\ndef test_plain():\n    1 / 0\n", "run.test", "error", 69),
    "an unmarked test's fixture breaks": (
        "\n\n@pytest.fixture\ndef bad():\n    1 / 0\n\n\ndef test_plain(bad):\n    pass\n",
        "run.test",
        "error",
        69,
    ),
    "not everything is removed": (
        TEARDOWN.format(error='ProvisioningError("not everything is gone")'),
        "run.teardown",
        "failed",
        1,
    ),
    "a fixture breaks at its end": (TEARDOWN.format(error="RuntimeError()"), "run.teardown", "error", 69),
}


@pytest.mark.parametrize("case", CASES)
def test_a_failure_without_a_check_is_a_record(tmp_path: Path, case: str) -> None:
    """The check passes, and the run is not accepted."""
    code_of_test, check, verdict, exit_code = CASES[case]

    code, records = run_suite(tmp_path, PASSING + code_of_test)

    verdicts = {record["id"]: record["verdict"] for record in records if record["kind"] == "check"}
    assert verdicts["made.passing"] == "passed"
    assert verdicts[check] == verdict
    assert code == exit_code
    assert records[-1]["exit_code"] == exit_code


def test_a_suite_that_cannot_be_loaded_is_a_record(tmp_path: Path) -> None:
    """Its checks are missing, and nobody would know which."""
    code, records = run_suite(tmp_path, PASSING + "\n\nimport no_such_module\n")

    assert code == pytest.ExitCode.INTERRUPTED
    assert [record["verdict"] for record in records if record.get("id") == "run.collection"] == ["error"]
    assert records[-1]["outcome"] == "could not judge"


def test_a_crashed_worker_is_a_record(tmp_path: Path) -> None:
    """The test that it ran has no result, and the run is not accepted."""
    code, records = run_suite(tmp_path, PASSING + "\n\ndef test_crash():\n    os._exit(1)\n", "-n", "1")

    assert code == 69
    assert [record["verdict"] for record in records if record.get("id") == "run.worker"] == ["error"]


def test_an_unmarked_test_that_passes_needs_no_record(tmp_path: Path) -> None:
    """Helper tests beside the checks do not disturb."""
    code, records = run_suite(tmp_path, PASSING + "\n\ndef test_plain():\n    pass\n")

    assert code == 0
    assert [record["id"] for record in records if record["kind"] == "check"] == ["made.passing"]


def test_what_cannot_be_removed_is_explained_by_the_check_that_failed(tmp_path: Path) -> None:
    """A card that stays claimed is found by the check, and then by its test's end: one cause, not two."""
    both = TEARDOWN.format(error='ProvisioningError("not everything is gone")') + '    assert False, "still claimed"\n'

    _, records = run_suite(tmp_path, PASSING + both)

    [left] = [record for record in records if record.get("id") == "run.teardown"]
    assert left["rests_on"] == ["made.second"]
