"""Which run a person means: a directory, a records file, a run's id, or a cloud (its latest run)."""

from __future__ import annotations

from pathlib import Path

from access.errors import InputError
from cloud_file.work_folder import runs_folder
from reports.records import RECORDS


def is_run(path: Path) -> bool:
    """Whether it is a file, or a folder with records: the folder lab/ of this checkout is no run of the cloud lab."""
    return path.is_file() or (path / RECORDS).is_file() or any(path.glob("records.*.jsonl"))


def find(name: str, runs: Path | None = None) -> Path:
    """The run's directory, or its records file where that was given, e.g. lab-20261125T130239Z-753b or lab.

    Raises:
        InputError: there is no such run.
    """
    given, runs = Path(name), runs or runs_folder()
    if name and is_run(given):
        return given
    is_plain = name not in ("", ".", "..") and given.name == name
    found = [*runs.glob(f"*/reports/{name}"), runs / name / "latest"] if is_plain and not set(name) & set("*?[") else []
    run = next((path for path in found if (path / RECORDS).is_file()), None)
    if run is None and name and given.exists():
        return given  # whoever reads it says what it lacks
    if run is None:
        raise InputError(
            f"there is no run {name!r}: no such path, and none of that name below {runs}",
            remedy="give a run's directory, its id, or a cloud's name for its latest run",
        )
    return run
