"""What a test came to becomes a verdict, and the verdicts of a run its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from suite_runner import run_checks

HEAD = """
import pytest
from access.errors import Blocked, ConnectError, NotVerified, ProvisioningError
from access.host import CommandOutput
from judging.verdicts import require
"""
CHECK = '''

@pytest.fixture
def prepared_{number}():
    """Ends in its error, where it has one."""
    {setup}


@pytest.mark.check("made.case.{number}")
def test_made_{number}(notes, prepared_{number}):
    """A fact."""
    notes.command(CommandOutput("here", "true", 0, "", "", 0.1))
    {body}
'''
CASES = {
    "looked at nothing": ("notes.evidence.clear()", "pass", "not verified", ""),
    "passed": ("pass", "pass", "passed", ""),
    "failed": ('require(False, "not-rebooted", "found")', "pass", "failed", "not-rebooted"),
    "an assertion": ("assert False", "pass", "failed", "failed"),
    "refused by the cloud": ('raise ProvisioningError("no")', "pass", "failed", "failed"),
    "not measured": ('raise ConnectError("no session")', "pass", "error", ""),
    "a mistake of ours": ("1 / 0", "pass", "error", ""),
    "skipped": ('pytest.skip("no such card")', "pass", "not verified", ""),
    "not verified": ('raise NotVerified("no source")', "pass", "not verified", ""),
    "setup blocked": ("pass", 'raise Blocked("it waits")', "blocked", ""),
    "setup not measured": ("pass", 'raise ConnectError("no session")', "error", ""),
    "setup refused": ("pass", 'raise ProvisioningError("no")', "error", ""),
}
"""Body of the test and of its fixture to verdict and cause."""
EXIT_CODES = {"passed": 0, "failed": 1, "not measured": 69}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The record of each case, all of one run."""
    _, records = run_checks(tmp_path_factory.mktemp("suite"), suite_of(*CASES))
    found = {record["id"]: record for record in records}
    return {name: found[f"made.case.{number}"] for number, name in enumerate(CASES)}


def suite_of(*names: str) -> str:
    """A suite of these cases."""
    numbers = {name: number for number, name in enumerate(CASES)}
    return HEAD + "".join(
        CHECK.format(number=numbers[name], body=CASES[name][0], setup=CASES[name][1]) for name in names
    )


@pytest.mark.parametrize("name", CASES)
def test_the_end_of_a_test_becomes_a_verdict(recorded: dict[str, dict[str, Any]], name: str) -> None:
    """A finding rejects; what could not be measured or waits for something else says nothing about the cloud."""
    assert (recorded[name]["verdict"], recorded[name]["cause"]) == CASES[name][2:]


@pytest.mark.parametrize(("name", "code"), EXIT_CODES.items())
def test_the_verdicts_of_a_run_become_its_exit_code(tmp_path: Path, name: str, code: int) -> None:
    """0 accepted, 1 rejected, 69 could not judge."""
    assert run_checks(tmp_path, suite_of(name))[0] == code
