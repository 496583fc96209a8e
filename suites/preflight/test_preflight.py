"""The deployment's files: would a deploy of them give a cloud with GPUs?"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import pytest
from preflight_fixtures import Preflight

from access.errors import NotVerified, Rejected
from access.host import CommandOutput
from judging.notes import Notes
from judging.verdicts import require
from preflight.finding import Finding, Severity
from preflight.rules import MODULES
from provisioning.before_deploy import in_one_line

CODES = "docs/preflight.md"


def _require_no_finding(found: Sequence[Finding], lines: str) -> None:
    """Reject the deployment if anything was found: the first finding has cause and fix, `lines` tell all of them."""
    for first in found[:1]:
        location = first.location
        raise Rejected(first.code, lines, fix=first.instead, file=str(location.path), line_number=location.line)


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


GROUPS = [
    pytest.param(module, id=_name(module), marks=pytest.mark.check(f"preflight.{_name(module)}", source=CODES))
    for module in MODULES
]


@pytest.mark.parametrize("group", GROUPS)
def test_files_hold_no_mistake(group: ModuleType, preflight: Preflight, notes: Notes) -> None:
    """Nothing in the files would make the deploy fail or leave the cloud without GPUs."""
    codes = {rule.code for rule in group.RULES}
    found = [finding for finding in preflight.findings if finding.code in codes]
    lines = "\n".join(in_one_line(finding) for finding in found)
    notes.command(
        CommandOutput("", f"read {len(preflight.files)} files", 0, "\n".join(preflight.files), "", preflight.seconds)
    )
    notes.found = lines or "no finding"

    _require_no_finding([finding for finding in found if finding.severity is Severity.ERROR], lines)


@pytest.mark.check("preflight.files", rests_on=tuple(f"preflight.{_name(module)}" for module in MODULES), source=CODES)
def test_a_deploy_may_start(preflight: Preflight, notes: Notes) -> None:
    """No file has an error, so that provisioning does not stop before the deploy."""
    errors = [finding for finding in preflight.findings if finding.severity is Severity.ERROR]
    notes.command(
        CommandOutput("", f"read {len(preflight.files)} files", 0, preflight.understood, "", preflight.seconds)
    )

    require(not errors, "deploy-stopped", f"{len(errors)} errors in the files")


@pytest.mark.check("preflight.shellcheck", source="https://www.shellcheck.net/wiki/")
def test_scripts_are_shell(preflight: Preflight, notes: Notes) -> None:
    """shellcheck finds no error in the scripts."""
    if preflight.unread_scripts:
        raise NotVerified(preflight.unread_scripts)
    found = [finding for finding in preflight.findings if finding.code.startswith("SC")]
    notes.command(CommandOutput("", f"shellcheck over {len(preflight.files)} files", 0, "", "", preflight.seconds))
    lines = "\n".join(in_one_line(finding) for finding in found)

    _require_no_finding(found, lines)
