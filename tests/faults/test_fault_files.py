"""Fault files: the catalogue's are valid, and a wrong one is refused with all of its mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.fault import CATALOGUE, load
from lab.errors import LabError

FILES = sorted(CATALOGUE.glob("*.yaml"))
VALID = "{id: x, title: y, symptom: z, inject: [{reboot: compute-0}], expect: [{check: host.iommu.cmdline, cause: c}]}"


def test_the_catalogue_is_not_empty() -> None:
    """No file found would make the next test pass without looking."""
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_of_the_catalogue_is_valid_and_named_for_its_fault(file: Path) -> None:
    """The id of a fault is the name of its file."""
    assert load(file).id == file.stem


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("id: x, ", "", "id is missing"),
        ("title: y", "titel: y", "no such key: titel"),
        ("{reboot: compute-0}", "{reboot: compute-0, run: 'true'}", "exactly one of"),
        ("{reboot: compute-0}", "{run: 'true'}", "names its host"),
        (", cause: c", "", "a failed check has a cause"),
        ("cause: c", "verdict: lost", "a verdict is one of"),
        ("title: y", "title: y, healthy: true", "either expect, or healthy: true"),
        ("title: y", "title: y, variant: none-such", "no variant none-such"),
        ("{reboot: compute-0}", "{instance: one-card, action: explode}", "an action is one of"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, mistake: str) -> None:
    """A fault file with one mistake is refused, and the message has the mistake and the file."""
    file = tmp_path / "x.yaml"
    file.write_text(VALID.replace(old, new), encoding="utf-8")

    with pytest.raises(LabError, match=mistake) as refused:
        load(file)

    assert str(file) in str(refused.value)


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    """A list, as a forgotten indentation makes it, is no fault file."""
    file = tmp_path / "x.yaml"
    file.write_text("- id: x\n", encoding="utf-8")

    with pytest.raises(LabError, match="not a mapping"):
        load(file)


@pytest.mark.parametrize("file", [file for file in FILES if "action: delete" in file.read_text()], ids=lambda f: f.stem)
def test_what_a_fault_deletes_is_made_again_for_the_next(file: Path) -> None:
    """All faults of a lab share its instances."""
    assert load(file).is_provisioned_after
