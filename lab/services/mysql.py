"""mysql of the emulated controllers: reads and changes the services' real databases, which are SQLite here."""

from __future__ import annotations

import argparse
import contextlib
import os
import sqlite3
import sys

from lab.paths import LabPaths
from lab.services.registry import services


def mysql(arguments: list[str]) -> int:
    """Carry out `mysql [-B] [-N] DATABASE -e STATEMENT` for root, who needs no password there."""
    parser = argparse.ArgumentParser(prog="mysql", add_help=False)
    parser.add_argument("-B", "--batch", action="store_true")
    parser.add_argument("-N", "--skip-column-names", action="store_true")
    parser.add_argument("-e", "--execute", required=True)
    parser.add_argument("database")
    options = parser.parse_args(arguments)
    if os.environ["LAB_USER"] != "root":
        user = os.environ["LAB_USER"]
        return _error(f"ERROR 1045 (28000): Access denied for user '{user}'@'localhost' (using password: NO)")
    files = {name: file for service in services() for name, file in service.databases.items()}
    if options.database not in files:
        return _error(f"ERROR 1049 (42000): Unknown database '{options.database}'")
    file = LabPaths.of(os.environ["LAB_NAME"]).databases / f"{files[options.database]}.db"
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=60)) as connection, connection:
            _print(connection.execute(options.execute.strip().rstrip(";")), not options.skip_column_names)
    except sqlite3.Error as error:
        return _error(f"ERROR 1064 (42000) at line 1: {error}")
    return 0


def _print(cursor: sqlite3.Cursor, header: bool) -> None:
    """Batch mode's rows: separated by tabs, NULL as a word; a statement that gives no rows says nothing."""
    rows = cursor.fetchall()
    if header and rows:
        print("\t".join(column[0] for column in cursor.description))
    for row in rows:
        print("\t".join("NULL" if value is None else str(value) for value in row))


def _error(text: str) -> int:
    print(text, file=sys.stderr)
    return 1
