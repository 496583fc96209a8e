"""Faults of the catalogue that are put into a healthy lab are found, their causes named, and nothing else is blamed.

The lab is provisioned once and accepted once a fault, so this is not part of `make test`: `make system` runs it.
`make faults` runs the whole catalogue.
"""

from __future__ import annotations

import subprocess

import pytest
from whole_lab import REPOSITORY, WholeLab

CATALOGUE = REPOSITORY / "faults" / "catalogue"
QUICK = ("alias-missing-on-a-compute", "boot-loader-configuration-not-generated", "compute-disabled", "computes-wrong")
"""One of each layer; the healthy lab is accepted before."""
QUICK_LIMIT_S = 900
HARMLESS = (
    "{id: harmless, title: nothing is broken, symptom: none, inject: [{run: 'true', host: compute-0}],"
    " expect: [{check: host.iommu.enabled, cause: none-at-all}]}"
)


@pytest.fixture(scope="module")
def run(lab: WholeLab, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The quick selection, and a harmless change that claims to be a fault."""
    harmless = tmp_path_factory.mktemp("faults") / "harmless.yaml"
    harmless.write_text(HARMLESS, encoding="utf-8")
    files = [*(CATALOGUE / f"{name}.yaml" for name in QUICK), harmless]
    return lab.try_command("fault", "run", *map(str, files), limit_s=QUICK_LIMIT_S)


@pytest.mark.parametrize("fault", QUICK)
def test_a_fault_is_found_and_its_cause_named(run: subprocess.CompletedProcess[str], fault: str):
    """And nothing else is blamed."""
    assert f"ok   {fault}:" in run.stdout, run.stdout


def test_a_fault_that_is_not_there_is_reported_as_missed(run: subprocess.CompletedProcess[str]):
    """The score can be bad."""
    assert run.returncode == 1, run.stdout
    assert "MISS harmless:" in run.stdout
