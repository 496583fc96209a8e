"""The files of the services' databases.

Empty schemas are the same for every lab, so later labs copy the first one's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.state import LabState


def file(state: LabState, database: str) -> Path:
    """The file of a database."""
    return state.paths.databases / f"{database}.db"


def column(state: LabState, database: str, query: str, *values: str) -> set[str]:
    """The first column of what a query finds."""
    path = file(state, database)
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        return {str(row[0]) for row in connection.execute(query, values)}


def copy_templates(state: LabState, names: Iterable[str]) -> bool:
    """Take the schemas that an earlier lab of this installation made; False if one is missing."""
    templates = {name: state.paths.schemas / f"{name}.db" for name in names}
    if not all(template.exists() for template in templates.values()):
        return False
    for name, template in templates.items():
        shutil.copyfile(template, file(state, name))
    return True


def keep_template(state: LabState, database: str) -> None:
    """Keep a copy of the database for later labs, unless there is one."""
    template = state.paths.schemas / f"{database}.db"
    if template.exists():
        return
    template.parent.mkdir(parents=True, exist_ok=True)
    fresh = template.with_suffix(f".{os.getpid()}")
    copy_open(file(state, database), fresh)
    fresh.replace(template)


def copy_open(source: Path, target: Path) -> None:
    """Copy a database that this process may still have open."""
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)


def use_write_ahead_log(state: LabState, database: str) -> None:
    """Let readers go on while somebody writes."""
    with contextlib.closing(sqlite3.connect(file(state, database))) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def manage(main: Callable[[], object], program: str, state: LabState, configuration: str, *words: str) -> None:
    """Run a project's own management command in this process."""
    sys.argv = [program, "--config-file", str(state.paths.etc / configuration), *words]
    main()
