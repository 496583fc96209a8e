"""Causes are data: what suites, judging and the fault catalogue name exists there, and nothing there is unused."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from suite_source import REPOSITORY, Named, check_ids, named_causes

from access.errors import InputError, Rejected
from judging import copies, pairs
from judging.causes import cause_of, causes, fix_of, placeholders, rejected
from judging.verdicts import require
from preflight.rules import MODULES

NAMED = tuple(named_causes())
OWN_WORDS = {"file", "line_number", "cause"}
MADE_ELSEWHERE = {"run.covers_host", "history.slower_than_past"}
"""Checks that no suite makes: completeness and comparison with the past."""
FAULTS = sorted((REPOSITORY / "faults/catalogue").glob("*.yaml"))
OF_FILES = ("preflight.", "thresholds.")
"""Expectations of faults that are findings in files: their names are codes of docs/preflight.md."""


def test_the_walk_over_the_suites_finds_their_causes() -> None:
    """The tests below would pass over nothing otherwise."""
    assert len(NAMED) > 100
    assert {"not-rebooted", "nouveau-loaded", "tenant-sees-hosts"} <= {named.cause for named in NAMED}


@pytest.mark.parametrize("named", NAMED, ids=lambda named: f"{named.where}-{named.cause}")
def test_a_cause_that_is_named_is_known_and_its_fix_gets_its_words(named: Named) -> None:
    """Exactly the words in braces of the fix are given, and the data say that this check can end with the cause."""
    cause = cause_of(named.cause)
    text = cause.wording(named.cause.partition("/")[2])

    assert named.words - OWN_WORDS == placeholders(text)
    assert [check for check in named.checks if not cause.is_given_by(check)] == []


def test_every_cause_names_checks_that_exist() -> None:
    """A pattern that fits no check is a typing error."""
    known = check_ids() | MADE_ELSEWHERE
    patterns = {pattern for cause in causes().values() for pattern in cause.checks}

    assert {pattern for pattern in patterns if not any(fnmatchcase(check, pattern) for check in known)} == set()


def test_no_cause_is_unused() -> None:
    """Each is named literally, in the data of judging, computed from measurements, or a family."""
    text = "".join(file.read_text(encoding="utf-8") for file in _sources())

    assert {name for name in causes() if "*" not in name and f'"{name}' not in text} == set()


def _sources() -> list[Path]:
    folders = ("suites", "judging", "reports", "provisioning")
    code = [file for folder in folders for file in (REPOSITORY / folder).rglob("*.py")]
    return [*code, *(REPOSITORY / "judging").glob("*.yaml")]


def test_causes_from_measurements_are_known() -> None:
    """Copies and pairs name their causes by computing."""
    for name in (*copies.CAUSES, *pairs.CAUSES):
        assert len(fix_of(name)) > 20


@pytest.mark.parametrize("file", FAULTS, ids=lambda file: file.stem)
def test_what_a_fault_expects_exists(file: Path) -> None:
    """Each check of a fault file exists, and the data say that it can end with the expected cause."""
    known = check_ids() | MADE_ELSEWHERE
    for expected in yaml.safe_load(file.read_text(encoding="utf-8")).get("expect", ()):
        check, cause = expected["check"], expected.get("cause", "")
        if check.startswith(OF_FILES):
            assert not cause or cause in _codes()
            continue
        assert check in known
        assert not cause or cause_of(cause).is_given_by(check)


def _codes() -> set[str]:
    return {rule.code for module in MODULES for rule in module.RULES}


def test_an_unknown_cause_is_bad_input() -> None:
    """It names the folder to add it in."""
    with pytest.raises(InputError, match="no cause never-heard-of"):
        require(False, "never-heard-of", "what was found")


def test_a_word_that_is_missing_is_bad_input() -> None:
    """A fix with an unfilled word would be no help."""
    with pytest.raises(InputError, match="service-not-restarted needs restart"):
        fix_of("service-not-restarted")


def test_a_rejection_carries_cause_and_filled_fix() -> None:
    """The name of another wording is no part of the recorded cause."""
    error = rejected("branch-without-this-architecture/known", "driver 590", file="/etc", branch=580)

    assert isinstance(error, Rejected)
    assert (error.cause, error.remedy, error.file) == (
        "branch-without-this-architecture",
        "pin a driver of branch 580 or older",
        "/etc",
    )


def test_a_member_of_a_family_has_its_fix() -> None:
    """The tool names the member, the data its fix."""
    words = {"blacklist": "blacklist the driver", "rebuild": "dracut -f"}
    assert fix_of("nouveau-holds-a-card", **words).startswith("blacklist the driver")
    assert fix_of("nvidia-smi-no-devices", remedy="see dmesg") == "see dmesg"
