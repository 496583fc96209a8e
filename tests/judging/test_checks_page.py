"""docs/checks.md is what suites, causes and proofs say, and no check is without a proof."""

from __future__ import annotations

from dataclasses import replace

from suite_source import REPOSITORY, check_ids

from judging.checks_page import checks, page, unproven

OF_FILES = ("preflight.shellcheck",)
"""Its causes are shellcheck's own codes."""


def test_the_published_page_is_that_of_the_code() -> None:
    """Else run: python -m judging.checks_page > docs/checks.md."""
    assert (REPOSITORY / "docs/checks.md").read_text(encoding="utf-8") == page()


def test_every_check_is_on_the_page() -> None:
    """Only the groups of preflight's rules, which are made from a list, stand there as one."""
    groups = {name for name in check_ids() if name.startswith("preflight.")}

    assert {check.id for check in checks()} | groups == check_ids()


def test_every_check_has_a_fact_and_a_cause() -> None:
    """A check that can end with no cause could not say what is wrong."""
    lacking = [check.id for check in checks() if not check.fact or not (check.causes or check.id in OF_FILES)]

    assert lacking == []


def test_every_check_was_seen_to_fail() -> None:
    """A new check comes with a fault of the catalogue, or with a broken cloud of tests/suites."""
    assert unproven(checks()) == []


def test_a_check_without_a_proof_is_told() -> None:
    """Take the proofs away, and it is among those that were never seen to fail."""
    first, *others = checks()

    assert unproven([replace(first, proofs=()), *others]) == [first.id]
