"""The deployment's files: would a deploy of them give a cloud with GPUs?"""

from __future__ import annotations

from types import ModuleType

import pytest
from preflight_fixtures import Preflight
from recorder import Notes

from access.host import CommandOutput
from judging.verdicts import require
from preflight.finding import Severity
from preflight.rules import MODULES
from provisioning.before_deploy import in_one_line

CODES = "docs/preflight.md"


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

    errors = [finding for finding in found if finding.severity is Severity.ERROR]

    first = errors[0] if errors else None
    require(
        first is None,
        first.code if first else "",
        lines,
        fix=first.instead if first else "",
        file=str(first.location.path) if first else "",
        line_number=first.location.line if first else None,
    )


@pytest.mark.check("preflight.files", rests_on=tuple(f"preflight.{_name(module)}" for module in MODULES), source=CODES)
def test_a_deploy_may_start(preflight: Preflight, notes: Notes) -> None:
    """No file has an error, so that provisioning does not stop before the deploy."""
    errors = [finding for finding in preflight.findings if finding.severity is Severity.ERROR]
    notes.command(CommandOutput("", f"read {len(preflight.files)} files", 0, "", "", preflight.seconds))

    require(not errors, "deploy-stopped", f"{len(errors)} errors in the files", fix="fix what the checks above name")


@pytest.mark.check("preflight.shellcheck", source="https://www.shellcheck.net/wiki/")
def test_scripts_are_shell(preflight: Preflight, notes: Notes) -> None:
    """shellcheck finds no error in the scripts."""
    found = [finding for finding in preflight.findings if finding.code.startswith("SC")]
    notes.command(CommandOutput("", f"shellcheck over {len(preflight.files)} files", 0, "", "", preflight.seconds))
    lines = "\n".join(in_one_line(finding) for finding in found)

    require(
        not found,
        found[0].code if found else "",
        lines,
        fix=found[0].instead if found else "",
        file=str(found[0].location.path) if found else "",
        line_number=found[0].location.line if found else None,
    )
