"""The plugin: nothing without a cloud; with one, from any folder, for tests of anybody."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from installed import REPOSITORY, Installed

PAGE = REPOSITORY / "docs" / "own-checks.md"
MACHINE = (REPOSITORY / "clouds" / "examples" / "localhost.yaml").read_text(encoding="utf-8")
HEAVY = ("pandas", "openstack", "pydantic", "paramiko", "access", "reports", "cloud_fixtures", "record_fixtures")


def _example() -> str:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]


def _records(folder: Path, kind: str = "check") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["kind"] == kind]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Somebody's folder: a cloud file of this machine, and a check of their own."""
    (tmp_path / "clouds").mkdir()
    (tmp_path / "clouds" / "mine.yaml").write_text(MACHINE.replace("localhost\nkind", "mine\nkind"), encoding="utf-8")
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "test_our_rules.py").write_text(_example(), encoding="utf-8")
    return tmp_path


def test_without_a_cloud_nothing_is_imported(installed: Installed, tmp_path: Path) -> None:
    """An environment with the acceptance runs other projects as before; also their strict markers."""
    (tmp_path / "test_other.py").write_text(
        "import sys\nimport pytest\n\n\n@pytest.mark.check('x.y')\ndef test_it(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.has_plugin('gpu_acceptance.plugin')\n"
        f"    assert not set(sys.modules) & set({HEAVY!r})\n"
        "    assert not [path for path in sys.path if 'gpu_acceptance' in path]\n",
        encoding="utf-8",
    )
    done = installed.run(tmp_path, "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", "-p", "no:testinfra")

    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"test_other.py"}


def test_the_check_of_the_page_lands_in_records_and_page(installed: Installed, house: Path) -> None:
    """As a check of the suites does: evidence, verdict, page."""
    done = installed.run(house, "pytest", "checks", "--cloud", "mine", "--run-dir", "out")
    (check,) = _records(house / "out")

    assert done.returncode == 0, done.stdout + done.stderr
    assert (check["id"], check["place"], check["verdict"]) == ("site.guest.kernel", "this-machine", "passed")
    assert check["evidence"][0]["command"] == "uname -r"
    assert check["fact"] == "Instances run a kernel that our drivers are built for."
    assert "of a part of the suites: this is no acceptance" in done.stdout
    assert "site.guest.kernel" in (house / "out" / "acceptance.html").read_text(encoding="utf-8")
    assert "site.guest.kernel" in (house / "out" / "junit.xml").read_text(encoding="utf-8")


def test_what_an_own_check_rejects_is_told_with_its_fix(installed: Installed, house: Path) -> None:
    """Cause, what was found, what to do; what rests on it follows."""
    text = _example().replace('("3.", "4.", "5.", "6.")', '("0.",)')
    text += (
        '\n\n@pytest.mark.check("site.guest.module", rests_on=("site.guest.kernel",))\n'
        'def test_it_follows(guest: Host) -> None:\n    """A second rule."""\n'
        '    assert guest.run("true").exit_code == 1, "it returned 0"\n'
    )
    (house / "checks" / "test_our_rules.py").write_text(text, encoding="utf-8")

    done = installed.run(house, "pytest", "checks", "--cloud", "mine", "--run-dir", "out")

    assert done.returncode == 1, done.stdout + done.stderr
    assert "REJECTED  site.guest.kernel [this-machine]: site-kernel-unsupported" in done.stdout
    assert "to do: boot a kernel of 0." in done.stdout
    assert "site.guest.module" in done.stdout.split("REJECTED")[1]
    assert done.stdout.count("REJECTED ") == 2  # the cause, and the last line


@pytest.mark.parametrize("fixture", ["gpu_host", "compute", "guest"])
def test_a_test_without_the_marker_runs_as_well(installed: Installed, house: Path, fixture: str) -> None:
    """On a machine alone each of them is that machine; nobody leaves it out."""
    (house / "checks" / "test_our_rules.py").write_text(
        f"def test_it({fixture}):\n    assert {fixture}.run('echo here').stdout == 'here\\n'\n", encoding="utf-8"
    )
    done = installed.run(house, "pytest", "checks", "--cloud", "mine", "--run-dir", "out")

    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_own_checks_run_beside_the_suites(installed: Installed, house: Path) -> None:
    """`accept` takes them as further paths; ids of the suites are those of a checkout."""
    done = installed.run(house, "gpu-acceptance", "accept", "mine", "checks", "--co", "-q")

    assert "checks/test_our_rules.py::test_the_kernel_is_one_that_we_support[this-machine]" in done.stdout
    assert "\nsuites/instance/test_driver.py::" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("looking", ["--co", "--help", "--fixtures"])
def test_who_only_looks_leaves_nothing(installed: Installed, house: Path, looking: str) -> None:
    """No folder of a run, no report."""
    done = installed.run(house, "pytest", "--cloud", "mine", looking, "-p", "no:cacheprovider")

    assert done.returncode == 0, done.stdout + done.stderr
    assert not (house / ".runs").exists()


def test_a_package_that_is_hidden_is_told(installed: Installed, house: Path) -> None:
    """A project's own `reports` would be another one than it thinks."""
    (house / "reports").mkdir()
    (house / "reports" / "__init__.py").write_text("", encoding="utf-8")
    (house / "probes").mkdir()  # a folder of whatever hides nothing

    done = installed.run(house, "pytest", "checks", "--cloud", "mine", "--run-dir", "out")

    assert f"{house}/reports/__init__.py is hidden" in done.stdout
    assert "probes" not in done.stdout
    assert done.returncode == 0


def test_a_package_that_was_imported_before_ends_the_run(installed: Installed, house: Path) -> None:
    """Two packages of one name cannot be told apart: nothing is judged."""
    (house / "judging.py").write_text("", encoding="utf-8")
    (house / "early.py").write_text("import judging\n", encoding="utf-8")
    command = ["-c", "import sys, pytest; sys.path.insert(0, '.'); sys.exit(pytest.main(sys.argv[1:]))"]

    done = installed.run(house, "python", *command, "-p", "early", "checks", "--cloud", "mine")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    assert "'judging' is a package of the acceptance" in done.stderr


def _collected(folder: Path, *words: str) -> list[str]:
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "--co", "-q", "-p", "no:cacheprovider", *words]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


@pytest.mark.parametrize("folder", [".", "tests/getting"])
def test_a_checkout_s_suites_run_from_any_folder(folder: str) -> None:
    """Without a path, by the name of the cloud alone."""
    found = _collected(REPOSITORY / folder, "--cloud", "lab")

    assert {line.split("/")[1] for line in found} >= {"preflight", "control_plane", "hosts", "instance", "cuda"}
    assert {line.split("/")[0] for line in found} == {"suites"}


def test_in_a_folder_of_the_suites_its_tests_run() -> None:
    """As pytest does it; without --cloud they judge the embedded lab, since somebody asked for suites."""
    for words in (["--cloud", "lab"], []):
        found = _collected(REPOSITORY / "suites" / "hosts", *words)
        assert found
        assert {line.split("/")[1] for line in found} == {"hosts"}


def test_options_of_the_acceptance_come_from_the_environment_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTEST_ADDOPTS is pytest's own way."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    variables["PYTEST_ADDOPTS"] = "--cloud lab --keep"
    command = [sys.executable, "-m", "pytest", "--co", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)

    assert "suites/hosts/test_gpus.py::" in done.stdout, done.stdout + done.stderr


def test_a_project_s_own_testpaths_stay(installed: Installed, house: Path) -> None:
    """Who says in a configuration what to run gets that."""
    (house / "pytest.ini").write_text("[pytest]\ntestpaths = checks\n", encoding="utf-8")

    done = installed.run(house, "pytest", "--cloud", "mine", "--co", "-q")

    assert "checks/test_our_rules.py" in done.stdout
    assert "suites/" not in done.stdout
