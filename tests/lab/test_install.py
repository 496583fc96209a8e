"""The lab's own environment: from wheels of a folder, without a registry, with uv or without."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from lab import environment, install
from lab.paths import LabPaths


def _wheel(folder: Path, name: str, version: str) -> Path:
    """A package that has one module."""
    info, made = f"{name}-{version}.dist-info", folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"{name}.py", "HERE = True\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return made


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that a lab of one package needs, pinned by its hash."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    _wheel(folder, "setuptools", "999.0")
    wheel = _wheel(folder, "alpha", "1.0")
    pins = tmp_path / "lab.txt"
    pins.write_text(f"alpha==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    monkeypatch.setattr(install, "REQUIREMENTS", pins)
    monkeypatch.setattr(install, "build_userland", lambda _: None)
    monkeypatch.setattr(install, "compile_python", lambda *_: None)
    for variable in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.mark.parametrize("has_uv", [True, False])
def test_the_lab_is_installed_from_a_folder_of_wheels(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_uv: bool
):
    """As a bundle has them; who has no uv needs none."""
    if not has_uv:
        monkeypatch.setattr(install, "uv_program", lambda: None)
    paths = LabPaths(tmp_path / "home", "some")

    assert install.install(paths, ["--wheels", str(wheels)]) == 0
    python = paths.openstack_env / "bin" / "python"
    assert subprocess.run([python, "-c", "import alpha; alpha.HERE"], check=False).returncode == 0
    assert paths.openstack_stamp.exists()


def test_an_installation_that_did_not_end_is_none(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """What is missing is told, and the lab's commands say that it is not installed."""
    (wheels / "alpha-1.0-py3-none-any.whl").unlink()
    paths = LabPaths(tmp_path / "home", "some")
    monkeypatch.setenv("GPU_LAB_HOME", str(paths.home))

    assert install.install(paths, ["--wheels", str(wheels)]) == install.FAILED
    assert (paths.openstack_env / "bin" / "python").exists()
    assert environment.enter("lab", ["status"]) == environment.NOT_INSTALLED
    told = capfd.readouterr().err
    assert "alpha" in told
    assert "see above" in told
    assert "the lab is not installed; run: python -m lab install" in told
