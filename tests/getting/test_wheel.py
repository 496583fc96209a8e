"""A wheel is all that somebody needs: every file is in it, nothing clashes, and each command works from any folder."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest
from installed import REPOSITORY, Installed

from gpu_acceptance.cli import MODULES
from reports.version import suite_version

LEFT_OUT = ("tests/", "scripts/", ".ci/", "docs/decisions/", "docs/contributing/")
LAB_PYTHON = REPOSITORY / ".lab" / "cache" / "openstack" / "bin" / "python"
ROOTS = ("Jenkinsfile", "Makefile", "conftest.py", "hatch_build.py", "pyproject.toml", "pytest.ini")


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_file_of_the_rooms_is_in_the_wheel(installed: Installed) -> None:
    """Data, templates and the lab's programs, too."""
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    wanted = [name for name in listed.splitlines() if "/" in name and not name.startswith(LEFT_OUT)]
    names = _names(installed.wheel)

    missing = [name for name in wanted if name not in names and f"gpu_acceptance/home/{name}" not in names]
    assert not missing
    assert len(wanted) > 800


def test_site_packages_gets_one_name_of_ours(installed: Installed) -> None:
    """`fixtures`, `reports` and the like belong to others there."""
    tops = {name.split("/")[0] for name in _names(installed.wheel)}

    assert {name for name in tops if not name.endswith(".dist-info")} == {"gpu_acceptance"}


def test_a_file_that_is_ignored_stays_out(installed: Installed) -> None:
    """Cloud files of this checkout may name secrets, and compiled code is another Python's."""
    assert not [name for name in _names(installed.wheel) if ".local." in name or name.endswith(".pyc")]


def test_the_lab_s_programs_stay_programs(installed: Installed) -> None:
    """Their mode is that of the checkout."""
    with zipfile.ZipFile(installed.wheel) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    listed = subprocess.run(
        ["git", "ls-files", "-s", "lab"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    programs = [line.split("\t")[1] for line in listed.stdout.splitlines() if line.startswith("100755")]

    assert programs
    assert not [name for name in programs if not modes[f"gpu_acceptance/home/{name}"] & 0o100]


def test_no_room_has_a_link(installed: Installed) -> None:
    """A wheel cannot carry one: links of the lab's layers are data of lab/hosts/layout.py."""
    listed = subprocess.run(
        ["git", "ls-files", "-s"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout

    assert not [line for line in listed.splitlines() if line.startswith("120000")]


@pytest.mark.parametrize("command", sorted({"preflight", "certify", "verify", "trend", "reports"} & set(MODULES)))
def test_each_command_tells_its_options(installed: Installed, command: str, tmp_path: Path) -> None:
    """From a folder that has nothing."""
    done = installed.run(tmp_path, "gpu-acceptance", command, "--help")

    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_the_lab_that_is_not_installed_says_so(installed: Installed, tmp_path: Path) -> None:
    """It is an extra: nothing of it is made beside the package, which may be root's."""
    done = installed.run(tmp_path, "gpu-acceptance", "lab", "status")

    assert done.returncode == 69
    assert "the lab is not installed" in done.stderr


def test_version_and_commit_are_known_without_git(installed: Installed, tmp_path: Path) -> None:
    """They were written in when the wheel was built."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    done = installed.run(tmp_path, "gpu-acceptance", "version")

    assert done.stdout.startswith(f"gpu-acceptance {suite_version()} (")
    assert head.stdout.strip() in done.stdout


@pytest.mark.parametrize("words", [[], ["--help"], ["help"]])
def test_without_a_command_all_are_listed(installed: Installed, words: list[str], tmp_path: Path) -> None:
    """And that is no mistake."""
    done = installed.run(tmp_path, "gpu-acceptance", *words)

    assert done.returncode == 0
    assert all(name in done.stdout for name in [*MODULES, "accept"])


def test_an_unknown_command_is_a_mistake(installed: Installed, tmp_path: Path) -> None:
    """With the code of bad usage."""
    assert installed.run(tmp_path, "gpu-acceptance", "acept").returncode == 64


def test_cloud_files_and_runs_are_those_of_the_user_s_folder(installed: Installed, tmp_path: Path) -> None:
    """Also from a folder below it."""
    below = tmp_path / "checks" / "deep"
    below.mkdir(parents=True)
    (tmp_path / "clouds").mkdir()
    text = (REPOSITORY / "clouds" / "examples" / "localhost.yaml").read_text(encoding="utf-8")
    (tmp_path / "clouds" / "mine.yaml").write_text(text.replace("name: localhost", "name: mine"), encoding="utf-8")

    done = installed.run(below, "gpu-acceptance", "accept", "mine", "-q", "-k", "cuda.samples or nothing_else")

    assert (tmp_path / ".runs" / "mine" / "latest" / "records.jsonl").is_file(), done.stdout + done.stderr
    assert not (below / ".runs").exists()
    assert not (installed.home / ".runs").exists()


def test_commands_are_named_as_an_installed_program_has_them(installed: Installed, tmp_path: Path) -> None:
    """`python -m lab` is for a checkout; the wheel has no module of that name."""
    lab = installed.run(tmp_path, "gpu-acceptance", "lab", "status")
    run = installed.run(tmp_path, "gpu-acceptance", "reports", "page", str(tmp_path))

    assert "run: gpu-acceptance lab install" in lab.stderr
    assert "gpu-acceptance reports list" in run.stdout + run.stderr


@pytest.mark.skipif(not LAB_PYTHON.exists(), reason="the lab's environment is made by its first start")
def test_a_folder_of_the_user_s_that_is_called_lab_is_not_ours(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m` looks into the current directory first: in another checkout that one's labs would be destroyed."""
    theirs = tmp_path / "lab"
    theirs.mkdir()
    for name in ("__init__.py", "__main__.py"):
        (theirs / name).write_text("raise SystemExit('not ours')\n", encoding="utf-8")
    monkeypatch.setenv("GPU_LAB_HOME", str(tmp_path / "labs"))
    cache = tmp_path / "labs" / "cache"
    cache.mkdir(parents=True)
    (cache / "openstack").symlink_to(LAB_PYTHON.parents[1])

    done = installed.run(tmp_path, "gpu-acceptance", "lab", "status")

    assert "not ours" not in done.stderr
    assert "there is no lab called default" in done.stderr
