"""The same files give the same findings, in the same words and order, however Python orders its sets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from preflight.cli import inspect
from preflight.client import match

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = Path(__file__).parent / "examples"
SEEDS = ("0", "1", "2", "3")


def test_findings_do_not_depend_on_the_order_of_sets() -> None:
    """Many deployments below one folder have files and folders of the same names."""
    command = [sys.executable, "-m", "preflight", str(EXAMPLES), "--release", "queens", "--format", "json"]
    running = [
        subprocess.Popen(
            command, cwd=REPOSITORY, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True
        )
        for seed in SEEDS
    ]
    first, *others = [process.communicate()[0] for process in running]

    assert first.count('"code"') > 100
    assert others == [first] * len(others)


def test_of_folders_of_one_name_the_nearest_is_meant(tmp_path: Path) -> None:
    """Which of two sites' `templates` a deploy command means is where the command stands."""
    sites = [tmp_path / name for name in ("a", "b", "c")]
    folders = [site / "templates" for site in sites]

    assert match("/home/stack/templates", reversed(folders), sites[1] / "deploy.sh") == folders[1]
    assert match("/home/stack/templates", reversed(folders), tmp_path / "deploy.sh") == folders[0]
    assert match("/home/stack/b/templates", folders, sites[0] / "deploy.sh") == folders[1], "its path says more"
    assert match("/", folders, sites[0]) is None


def test_a_directory_that_another_site_lacks_is_no_finding_of_this_one(tmp_path: Path) -> None:
    """The command of each site is judged by that site's own files."""
    for name, folder in (("a", "environments"), ("b", "elsewhere")):
        site = tmp_path / name
        (site / "templates" / folder).mkdir(parents=True)
        (site / "templates" / folder / "gpu.yaml").write_text("parameter_defaults:\n  NtpServer: [10.0.0.1]\n")
        (site / "deploy.sh").write_text(
            "openstack overcloud deploy --templates --environment-directory /home/stack/templates/environments\n"
        )

    _, findings = inspect([tmp_path], "queens")

    assert [finding.location.path.parent.name for finding in findings if finding.code == "GP112"] == ["b"]


def test_a_directory_of_this_machine_is_none_of_the_deploys(tmp_path: Path) -> None:
    """Whatever lies above what was given to read, be it called as the deploy calls a folder of the undercloud."""
    site = tmp_path / "gpu-acceptance" / "mine"
    (site / "environments").mkdir(parents=True)
    (site / "environments" / "gpu.yaml").write_text("parameter_defaults:\n  NtpServer: [10.0.0.1]\n")
    deploy = site / "deploy.sh"
    deploy.write_text("openstack overcloud deploy --templates --environment-directory gpu-acceptance/environments\n")

    for given in ([site], [deploy, site / "environments"], [deploy, site / "environments" / "gpu.yaml"]):
        _, findings = inspect(given, "queens")
        assert [finding.code for finding in findings if finding.code == "GP112"] == [], given
