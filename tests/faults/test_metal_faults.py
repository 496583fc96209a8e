"""Faults of the metal tier are faults of the catalogue, put in by commands of an operator."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from faults.fault import CATALOGUE
from faults.metal import entries, host
from lab.errors import LabError

ENTRIES = entries.entries("gpu-0")


def test_at_least_25_faults_of_the_catalogue_are_put_into_a_real_machine():
    assert len({entry.fault.id for entry in ENTRIES}) == len(ENTRIES) >= 25


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.fault.id)
def test_what_is_put_in_can_be_taken_out_again(entry: entries.MetalFault):
    assert (CATALOGUE / f"{entry.fault.id}.yaml").is_file()
    assert entry.run or entry.card or entry.hardware or entry.controller or entry.administrator
    assert not entry.run or entry.save or entry.undo or entry.instance_undo or entry.card
    assert not entry.controller or entry.controller_undo
    assert not entry.administrator or entry.administrator_undo
    assert not entry.instance or entry.instance_undo


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.fault.id)
def test_its_commands_are_shell(entry: entries.MetalFault):
    for script in (entry.run, entry.undo, entry.after_reboot, entry.controller, entry.administrator):
        subprocess.run(["bash", "-n", "-c", script], check=True)


def test_what_must_be_said_is_that_of_the_catalogue_at_this_host():
    for entry in ENTRIES:
        assert entry.fault.expect
        assert all(item.place in (None, "gpu-0", "controller-0") for item in entry.fault.expect)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"fault": "changed-since-boot", "runn": "true"}, "has no runn"),
        ({"fault": "no-such-fault"}, "no-such-fault"),
        ({"fault": "changed-since-boot", "compute": "twice"}, "restarted or ends, not twice"),
    ],
)
def test_an_entry_that_nobody_can_carry_out_is_refused(
    entry: dict[str, str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "faults.yaml"
    file.write_text(yaml.safe_dump([entry]))
    monkeypatch.setattr(entries, "LIST", file)

    with pytest.raises(LabError, match=words):
        entries.entries("gpu-0")


def test_files_are_put_back_as_they_were_and_what_was_not_there_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    there, absent = tmp_path / "nova.conf", tmp_path / "new.conf"
    there.write_text("before")
    changed = there.stat().st_mtime_ns

    def shell(command: str) -> None:
        subprocess.run(["bash", "-c", command.replace(host.SAVED, str(tmp_path / "saved"))], check=True)

    shell(host.SAVE.format(files=shlex.join([str(there), str(absent)])))
    there.write_text("broken")
    absent.write_text("broken")
    shell(host.PUT_BACK)
    shell(host.PUT_BACK)  # there is nothing to do the second time

    assert there.read_text() == "before"
    assert there.stat().st_mtime_ns // 10**9 == changed // 10**9
    assert not absent.exists()
