"""--fix: the patch applies as documented, wherever the files are, and fixes without a guess."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from written import findings_in, write

from preflight.cli import main

UNQUOTED = 'parameter_defaults:\n  NovaPCIPassthrough:\n    - {vendor_id: "10de", product_id: 1528}\n'


def test_the_documented_command_applies_while_an_error_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 0 when there is a patch; what it does not fix stands on standard error."""
    write(tmp_path, {"env.yaml": UNQUOTED + "  NovaSchedulerDefaultFilters: ComputeFilter PciPassthroughFilter\n"})
    monkeypatch.chdir(tmp_path)

    assert main([".", "--fix", "--release", "queens"]) == 0

    shown = capsys.readouterr()
    assert "not fixed: env.yaml:4 GP304" in shown.err
    (tmp_path / "fix.patch").write_text(shown.out)
    subprocess.run(["git", "apply", "fix.patch"], cwd=tmp_path, check=True)
    assert 'product_id: "1528"' in (tmp_path / "env.yaml").read_text()


def test_errors_that_no_patch_fixes_are_still_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a patch the exit code is that of the errors."""
    write(tmp_path, {"env.yaml": "parameter_defaults:\n  NovaSchedulerDefaultFilters: ComputeFilter RamFilter\n"})

    assert main([str(tmp_path), "--fix"]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("folders", [["files"], ["one", "two"]])
def test_files_outside_the_working_directory_are_fixed_in_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folders: list[str]
) -> None:
    """The paths of the patch hold no `..`; standard error says where it applies."""
    here = tmp_path / "here"
    here.mkdir()
    write(tmp_path, {f"{folder}/env.yaml": UNQUOTED for folder in folders})
    monkeypatch.chdir(here)

    main([*(f"../{folder}" for folder in folders), "--fix"])

    shown = capsys.readouterr()
    assert ".." not in shown.out
    base = Path(shown.err.splitlines()[0].removeprefix("apply it in "))
    subprocess.run(["git", "apply", "-"], input=shown.out, text=True, cwd=base, check=True)
    assert all('"1528"' in (tmp_path / folder / "env.yaml").read_text() for folder in folders)


@pytest.mark.parametrize(
    "text",
    [
        "  NovaPCIPassthrough: [{vendor_id: '10de'}]\n  NovaPciPassthrough: []\n",
        "  NovaPciPassthrough: []\n  NovaPCIPasthrough: []\n",
        "  Controller1xtraConfig: {}\n",
        "  ComputeGpuPrameters: {}\n",
        "  NovaSchedulerDefaultFilters: [PciPassthroughFilter, PciPasthroughFilter]\n",
    ],
)
def test_a_name_is_not_fixed_by_a_guess(tmp_path: Path, text: str) -> None:
    """No fix makes a second key of one that is there, or takes one role for another."""
    found = findings_in(tmp_path, {"env.yaml": f"parameter_defaults:\n{text}"}, "queens")

    assert [item.code for item in found if item.fix is not None] == []


def test_a_form_feed_does_not_break_the_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines end at the line feed, as git reads them."""
    write(tmp_path, {"run.sh": "#!/bin/bash\n# a\x0cb\nopenstack overcloud deploy --templates \\ \n  -e a.yaml\n"})
    monkeypatch.chdir(tmp_path)

    main([".", "--fix"])

    patch = capsys.readouterr().out
    subprocess.run(["git", "apply", "-"], input=patch, text=True, check=True)
    assert "--templates \\\n" in (tmp_path / "run.sh").read_text()
