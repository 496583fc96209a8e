"""The labs that faults are put into: started, or made for one variant."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from faults.fault import VARIANTS
from faults.merging import merge
from lab import state as lab_state
from lab.hosts.hardware.declaration import check_declaration
from lab.paths import REPOSITORY, LabPaths
from lab.services import control
from lab.state import LabState

DECLARATION = REPOSITORY / "lab" / "lab.yaml"
INJECTED = "injected-fault"
"""A lab with this file was broken by a run that did not end."""


def numbered(paths: LabPaths, number: int) -> LabPaths:
    """The lab beside `paths` in which a job of the runner works; the first job takes `paths` itself."""
    return paths if number == 0 else LabPaths(paths.home, f"{paths.name}-{number}")


def for_variant(paths: LabPaths, variant: str | None, cloud: dict[str, Any]) -> LabState:
    """The running lab, or a fresh one of a variant; the variant's part of the cloud file is put into `cloud`."""
    if variant is None:
        if (paths.state / INJECTED).exists():
            control.destroy(paths)
        return start(paths, DECLARATION, {})
    data = yaml.safe_load((VARIANTS / f"{variant}.yaml").read_text(encoding="utf-8"))
    declaration, changes = DECLARATION, {key: data[key] for key in ("hosts",) if key in data}
    if "cloud_file" in data:  # of another deployer, whose machines are declared apart
        cloud.clear()
        cloud.update(yaml.safe_load((REPOSITORY / data["cloud_file"]).read_text(encoding="utf-8")))
        declaration = REPOSITORY / cloud["lab_declaration"]
    else:
        cloud["release"] = changes["release"] = data["release"]
    merge(cloud, data.get("cloud", {}))
    other = LabPaths(paths.home, f"{paths.name}-{variant}")
    if (other.state / "lab.json").exists():
        control.destroy(other)
    shutil.rmtree(other.state, ignore_errors=True)
    return start(other, declaration, changes)


def start(paths: LabPaths, declaration: Path, changes: dict[str, Any]) -> LabState:
    """The lab `paths`, made from a declaration where there is none, and running."""
    if not (paths.state / "lab.json").exists():
        content = yaml.safe_load(declaration.read_text(encoding="utf-8"))
        merge(content, changes)
        check_declaration(content)
        state = lab_state.create(paths, content)
    else:
        state = lab_state.load(paths)
    control.up(state, lambda text: None)
    return state


def remade(state: LabState) -> LabState:
    """A fresh lab of the same declaration in the place of one that could not be repaired."""
    control.destroy(state.paths)
    made = lab_state.create(state.paths, state.declaration)
    control.up(made, lambda text: None)
    return made
