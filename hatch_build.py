"""What a wheel gets beside the files: its dependencies from requirements/, and the commit that it was built from."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

COMMIT = "COMMIT"
"""A file in the root of a source distribution, and beside the rooms in a wheel; reports/version.py reads it."""
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


def commit_of(root: Path) -> str:
    """The commit of a checkout, with `+changes` where files differ from it; or what a source distribution says."""
    if (root / COMMIT).is_file():
        return (root / COMMIT).read_text(encoding="utf-8").strip()
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changes"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def least(root: Path) -> list[str]:
    """What suite.in names, in the versions that the suite was tested with or newer ones."""
    folder = root / "requirements"
    pins = {_plain(name): version for name, version in PIN.findall((folder / "suite.txt").read_text(encoding="utf-8"))}
    lines = (folder / "suite.in").read_text(encoding="utf-8").splitlines()
    names = [line.strip() for line in lines if line.strip() and not line.startswith(("#", "-"))]
    return [f"{name}>={pins[_plain(name.partition('[')[0])]}" for name in names]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Dependencies(MetadataHookInterface):
    """Dependencies have one home."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Those of the suite; the lab needs uv beside them, which makes its environment."""
        metadata["dependencies"] = least(Path(self.root))
        metadata["optional-dependencies"] = {"lab": ["uv>=0.13.9"]}


class Commit(BuildHookInterface):  # type: ignore[type-arg]
    """The commit is known while it is built only."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write it into the archive."""
        made = Path(self.directory) / f"{COMMIT}-{self.target_name}"
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(commit_of(Path(self.root)) + "\n", encoding="utf-8")
        place = f"gpu_acceptance/home/{COMMIT}" if self.target_name == "wheel" else COMMIT
        if version != "editable":
            build_data["force_include"][str(made)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """It stands in the archive."""
        (Path(self.directory) / f"{COMMIT}-{self.target_name}").unlink(missing_ok=True)
