"""Faults of the metal tier are faults of the catalogue, put in by commands of an operator."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from faults import metal
from faults.fault import CATALOGUE
from lab.errors import LabError

ENTRIES = metal.entries("gpu-0")


def test_every_entry_is_a_fault_of_the_catalogue_that_can_be_taken_out_again():
    assert len({entry.fault.id for entry in ENTRIES}) == len(ENTRIES)
    for entry in ENTRIES:
        steps = entry.steps
        assert (CATALOGUE / f"{entry.fault.id}.yaml").is_file()
        assert "undo" in steps or "run" not in steps
        assert "controller_undo" in steps or "controller" not in steps
        assert {"run", "card", "firmware", "controller"} & set(steps)


def test_what_must_be_said_is_that_of_the_catalogue_at_this_host():
    for entry in ENTRIES:
        assert entry.fault.expect
        assert all(item.place in (None, "gpu-0", "controller-0") for item in entry.fault.expect)


@pytest.mark.parametrize(
    ("entry", "words"),
    [({"fault": "changed-since-boot", "runn": "true"}, "has no runn"), ({"fault": "no-such-fault"}, "no-such-fault")],
)
def test_an_entry_that_nobody_can_carry_out_is_refused(
    entry: dict[str, str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "metal.yaml"
    file.write_text(yaml.safe_dump([entry]))
    monkeypatch.setattr(metal, "LIST", file)

    with pytest.raises(LabError, match=words):
        metal.entries("gpu-0")
