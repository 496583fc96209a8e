"""Our own templates pass preflight for every release; a mistake in a cloud file stops the provisioning."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from access.errors import ProvisioningError
from access.progress import Progress
from cloud_file.cloud import Cloud
from cloud_file.deployer import TRIPLEO, known_releases
from cloud_file.loading import load
from provisioning.before_deploy import inspect_cloud, stop_on_mistakes

LAB = Path(__file__).parents[2] / "clouds" / "lab.yaml"
RELEASES = known_releases(TRIPLEO)


def cloud_of(folder: Path, release: str = "ocata", old: str = "", new: str = "") -> tuple[Cloud, Path]:
    """The lab's cloud file with one change."""
    text = LAB.read_text(encoding="utf-8").replace("release: ocata", f"release: {release}")
    assert old in text
    file = folder / "mine.yaml"
    file.write_text(text.replace(old, new) + f"\nruns_directory: {folder / 'runs'}\n", encoding="utf-8")
    return load(file), file


@pytest.mark.parametrize("release", RELEASES)
def test_our_templates_pass_for_every_release(tmp_path: Path, release: str):
    files, findings = inspect_cloud(*cloud_of(tmp_path, release))

    assert findings == []
    assert any(path.name == "30-gpu-passthrough.yaml" for path in files.texts)
    assert any(path.name == "deploy.sh" for path in files.texts)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("deploy:\n", "deploy:\n  scheduler_filters: [ComputeFilter]\n", "GP301"),
        ("device_type: type-PCI", "device_type: type-PF", "GP209"),
        ("cuda-drivers-384.183", "cuda-drivers-595", "GP715"),
        ("deploy:\n", "deploy:\n  parameters: {NovaPciPassthrough: []}\n", "GP104"),
    ],
)
def test_a_mistake_in_the_cloud_file_stops_the_provisioning(tmp_path: Path, old: str, new: str, code: str):
    cloud, _ = cloud_of(tmp_path, old=old, new=new)
    file = tmp_path / "mine.yaml"
    shown = io.StringIO()

    findings = inspect_cloud(cloud, file)[1]

    assert code in [finding.code for finding in findings]
    with pytest.raises(ProvisioningError, match=code):
        stop_on_mistakes(cloud, Progress(shown))
    assert code in shown.getvalue()
