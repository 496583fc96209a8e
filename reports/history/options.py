"""Which database a command reads."""

from __future__ import annotations

import argparse

from cloud_file.loading import load
from reports.history.database import Database, open_for, open_named


def add_database(parser: argparse.ArgumentParser) -> None:
    """`--database` and `--cloud`."""
    parser.add_argument("--database", metavar="REF", help="a SQLite file or env:VARIABLE that holds a URL")
    parser.add_argument("--cloud", metavar="NAME", help="only this cloud, with the database that its file names")


def database_of(arguments: argparse.Namespace) -> Database:
    """The database that was named, else the cloud file's, else the default file.

    Raises:
        InputError: bad name or cloud file.
        HistoryUnavailable: it cannot be opened.
    """
    if arguments.database is None and arguments.cloud is not None:
        return open_for(load(arguments.cloud))
    return open_named(arguments.database)


def cloud_name_of(arguments: argparse.Namespace) -> str | None:
    """The name under which runs of that cloud are kept."""
    if arguments.cloud is None:
        return None
    return load(arguments.cloud).name if arguments.database is None else str(arguments.cloud)
