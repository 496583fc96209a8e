"""kind: host: what its cloud file needs, and which checks are left for it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from access.errors import CloudFileError
from cloud_file.cloud import Cloud
from cloud_file.loading import load
from judging.records import Verdict
from reports.run import read
from tests.forked_pytest import environment_of_a_user, run_pytest

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = [REPOSITORY / "clouds" / "examples" / f"{name}.yaml" for name in ("gpu-host", "localhost")]
COULD_NOT_JUDGE = 69
OPTIONAL = re.compile(r"(?m)^( *)#(?! \S|$)")
REMOTE: dict[str, Any] = {"name": "far", "address": "192.0.2.1", "gpus": [{"model": "T4", "count": 4}]}
LOCAL: dict[str, Any] = {"name": "near", "address": "localhost", "gpus": [{"model": "A100-PCIE-40GB", "count": 1}]}


def written(folder: Path, **content: Any) -> Path:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump({"kind": "host", **content}))
    return file


def pytest_run(cloud: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = ("suites/", "--cloud", str(cloud), "-q", "-p", "no:cacheprovider", *options)
    return run_pytest(*words, environment=environment_of_a_user())


def test_each_host_stands_for_an_instance(tmp_path: Path) -> None:
    cloud = load(written(tmp_path, access={"user": "root"}, hosts=[REMOTE, LOCAL]))

    assert not cloud.has_openstack
    assert [guest.name for guest in cloud.guests] == ["far", "near"]
    assert [(gpu.model, gpu.count) for gpu in cloud.gpus_of("far")] == [("T4", 4)]
    assert {gpu.model: gpu.product_id for gpu in cloud.gpus} == {"T4": "1eb8", "A100-PCIE-40GB": "20f1"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"hosts": [REMOTE]}, "access: needs a user"),
        ({"hosts": [{**LOCAL, "address": None}]}, "needs an address (or `localhost`)"),
        ({"hosts": [{**LOCAL, "gpus": []}]}, "needs gpus for kind host"),
        ({"hosts": [{**LOCAL, "gpus": [{"model": "A100", "count": 1}]}]}, "'A100' is not in the reference data"),
        ({"hosts": [LOCAL], "undercloud": {"address": "192.0.2.2"}}, "undercloud: is of a cloud; kind host has none"),
        ({"hosts": [LOCAL, LOCAL]}, "near"),
    ],
)
def test_mistakes_are_told(content: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(CloudFileError) as caught:
        load(written(tmp_path, **content))

    assert told in str(caught.value)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("commented", [True, False], ids=["with its comments", "as it is"])
def test_examples_are_cloud_files(example: Path, commented: bool, tmp_path: Path) -> None:
    """Also with their optional parts, which stand there behind a # without a space."""
    text = example.read_text()
    file = tmp_path / "mine.yaml"
    file.write_text(OPTIONAL.sub(r"\1", text) if commented else text)
    cloud: Cloud = load(file)

    if cloud.kind == "host":
        assert cloud.guests
    assert not commented or "thresholds:" not in text or cloud.thresholds


def test_checks_of_layers_that_are_not_there_are_not_collected(tmp_path: Path) -> None:
    done = pytest_run(written(tmp_path, hosts=[LOCAL]), "--collect-only")
    collected = re.findall(r"^suites/(\w+)/", done.stdout, re.M)

    assert done.returncode == 0, done.stdout + done.stderr
    assert set(collected) == {"cuda", "instance"}
    assert re.search(r"\d+ deselected", done.stdout)


def test_bare_metal_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    done = pytest_run(written(tmp_path, hosts=[LOCAL], bare_metal="never-was"))

    assert done.returncode == 4
    assert "bare_metal: there is no run never-was" in done.stdout + done.stderr


def test_a_machine_without_gpus_is_not_accepted(tmp_path: Path) -> None:
    """Run for real, here, where no card is: what could not be measured is no pass, and no fault either."""
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("this machine has GPUs")
    cloud = written(tmp_path, hosts=[LOCAL], runs_directory=str(tmp_path / "runs"))
    done = pytest_run(cloud, "--run-dir", str(tmp_path / "run"))
    checks = read(tmp_path / "run").checks

    assert done.returncode == COULD_NOT_JUDGE, done.stdout
    assert {check.verdict for check in checks if check.id.startswith("cuda.")} == {Verdict.ERROR}
    assert not [check for check in checks if check.verdict is Verdict.FAILED]
