"""Faults of the catalogue that are put into a healthy lab are found, their causes named, and nothing else is blamed.

Provisions once and accepts once a fault, so it is not part of `make test`: `make system` runs it. `make faults` runs
the whole catalogue.
"""

from __future__ import annotations

from whole_lab import REPOSITORY, WholeLab

CATALOGUE = REPOSITORY / "lab" / "faults" / "catalogue"
QUICK = (
    "alias-missing-on-a-compute",
    "boot-loader-configuration-not-generated",
    "card-off-the-bus",
    "compute-disabled",
    "computes-wrong",
)
"""One of each layer; the healthy lab is accepted before."""
QUICK_LIMIT_S = 900


def test_each_fault_of_the_quick_selection_is_found_and_its_cause_named(lab: WholeLab):
    run = lab.try_command("fault", "run", *(str(CATALOGUE / f"{name}.yaml") for name in QUICK), limit_s=QUICK_LIMIT_S)

    assert run.returncode == 0, run.stdout
    assert f"{len(QUICK)} of {len(QUICK)} right" in run.stdout


def test_a_fault_that_is_not_there_is_reported_as_missed(lab: WholeLab, tmp_path):
    """The score can be bad: a harmless change that claims to be a fault is not found."""
    file = tmp_path / "harmless.yaml"
    file.write_text(
        "{id: harmless, title: nothing is broken, symptom: none, inject: [{run: 'true', host: compute-0}],"
        " expect: [{check: host.iommu.enabled, cause: none-at-all}]}"
    )

    run = lab.try_command("fault", "run", str(file), limit_s=QUICK_LIMIT_S)

    assert run.returncode == 1, run.stdout
    assert "MISS harmless" in run.stdout
