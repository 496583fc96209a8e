"""The acceptance as somebody has it who has no checkout: its wheel, in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
UV = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
LIMIT_S = 300


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel; what the wheel needs is borrowed from the environment of these tests."""

    wheel: Path
    environment: Path

    @property
    def home(self) -> Path:
        """The folder of the rooms."""
        return next(self.environment.glob("lib/python*/site-packages/gpu_acceptance/home"))

    def run(self, folder: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A program of the environment in a folder of the user; no variable of this test run reaches it."""
        drop = ("PYTEST_", "PYTHON", "VIRTUAL_ENV", "GPU_ACCEPTANCE", "OS_")
        variables = {key: value for key, value in os.environ.items() if not key.startswith(drop)}
        return subprocess.run(
            [str(self.environment / "bin" / program), *words],
            cwd=folder,
            env={**variables, "HOME": str(folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )


def built_wheel(folder: Path) -> Path:
    """The wheel of this checkout."""
    command = [UV, "build", "--quiet", "--wheel", "--out-dir", str(folder), str(REPOSITORY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """It, for all tests."""
    folder = tmp_path_factory.mktemp("installed")
    environment = folder / "environment"
    found = Installed(built_wheel(folder / "dist"), environment)
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    python = str(environment / "bin" / "python")
    install = [UV, "pip", "install", "--quiet", "--no-deps", "--offline", "--python", python, str(found.wheel)]
    subprocess.run(install, check=True)
    packages = next(environment.glob("lib/python*/site-packages"))
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    (environment / "bin" / "pytest").write_text(f"#!{python}\nimport sys, pytest\nsys.exit(pytest.main())\n")
    (environment / "bin" / "pytest").chmod(0o755)
    yield found
    shutil.rmtree(folder, ignore_errors=True)
