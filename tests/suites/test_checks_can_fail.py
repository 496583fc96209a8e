"""Every broken cloud is rejected by its check with its cause; without the one alteration the cloud is accepted."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import test_lifecycle_can_fail
import test_lifecycle_halves_can_fail
import test_main_job_can_fail
import test_tenants_can_fail
from deployment import Deployment
from model_cloud import ModelCloud
from proving import PROOFS, Proof, Subject, judge

from preflight.finding import Finding, Location, Severity
from preflight.rules import MODULES as GROUPS

MODULES = (test_lifecycle_can_fail, test_lifecycle_halves_can_fail, test_main_job_can_fail, test_tenants_can_fail)
HEALTHY = (ModelCloud, Deployment, test_lifecycle_can_fail.ThreeCards)


def _group(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _name(proof: Proof) -> str:
    return f"{proof.check}-{proof.broken.__name__}"


@pytest.mark.parametrize("proof", PROOFS, ids=_name)
def test_the_check_rejects_the_broken_cloud(proof: Proof) -> None:
    """A test of the check fails, with the cause of the alteration and with what was found."""
    found = judge(proof.broken(), proof.check)

    ends = [item for item in found if (item.check, item.verdict) == (proof.check, "failed")]
    assert proof.cause.partition("/")[0] in {item.cause for item in ends}, found
    assert all(item.message for item in ends)


@pytest.mark.parametrize("healthy", HEALTHY)
def test_the_checks_accept_the_healthy_cloud(healthy: type[Subject]) -> None:
    """Every check that is proven with this cloud passes on it, at every place, and leaves nothing behind."""
    checks = {proof.check for proof in PROOFS if proof.healthy is healthy}
    found = judge(healthy(), *sorted(checks))

    assert {item.check for item in found} == checks
    assert [item for item in found if item.verdict != "passed"] == []


@pytest.mark.parametrize("proof", PROOFS, ids=_name)
def test_a_proof_alters_one_thing(proof: Proof) -> None:
    """What differs is one method of a healthy cloud, so that nothing else explains the verdict."""
    (altered,) = proof.altered

    assert proof.healthy in HEALTHY
    assert hasattr(proof.healthy, altered)


def test_scripts_that_nobody_read_are_not_verified() -> None:
    """A check of scripts without shellcheck says nothing: it neither passes nor rejects."""

    class WithoutShellcheck(Deployment):
        def unread_scripts(self) -> str:
            return "not verified: shellcheck is not installed here"

    (found,) = judge(WithoutShellcheck(), "preflight.shellcheck")

    assert (found.verdict, found.message) == ("not verified", "not verified: shellcheck is not installed here")


@pytest.mark.parametrize("group", GROUPS, ids=_group)
def test_a_group_of_rules_rejects_its_own_mistakes(group: ModuleType) -> None:
    """An error of one of its rules is its own, a warning is told and rejects nothing; no other group fails for it."""
    error = next(rule for rule in group.RULES if rule.severity is Severity.ERROR)
    warnings = [rule for rule in group.RULES if rule.severity is Severity.WARNING]

    class WithAMistake(Deployment):
        def findings(self) -> tuple[Finding, ...]:
            return tuple(rule.at(Location(Path("a.yaml")), "…", "why", "instead") for rule in (error, *warnings))

    found = judge(WithAMistake(), *(f"preflight.{_group(module)}" for module in GROUPS))

    assert {(item.check, item.cause) for item in found if item.verdict == "failed"} == {
        (f"preflight.{_group(group)}", error.code)
    }
    assert {item.verdict for item in found} == {"failed", "passed"}


def test_all_modules_of_proofs_are_here() -> None:
    """A proof in a module that is not imported above would be named on the page and never run."""
    assert {proof.broken.__module__ for proof in PROOFS} == {module.__name__ for module in MODULES}
