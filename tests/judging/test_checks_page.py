"""docs/checks.md is what suites, causes and the fault catalogue say, and checks without a fault only become fewer."""

from __future__ import annotations

from pathlib import Path

from suite_source import REPOSITORY, check_ids

from judging.checks_page import checks, page, without_fault

WITHOUT_FAULT = Path(__file__).with_name("checks_without_fault.txt")
"""Take a line out when a fault is added; a new check comes with a fault and adds none."""
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


def test_checks_without_a_fault_only_become_fewer() -> None:
    """A check that was never seen to fail proves little."""
    assert without_fault(checks()) == WITHOUT_FAULT.read_text(encoding="utf-8").splitlines()
