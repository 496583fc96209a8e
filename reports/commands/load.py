"""`python -m reports load RUN…`: put runs into the history."""

from __future__ import annotations

import argparse
from pathlib import Path

from access.terminal import say
from reports.history.loading import load
from reports.history.options import add_database, database_of
from reports.run import read

HELP = "put runs into the history; a run that is there already stays as it is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's directory")
    add_database(parser)


def run(arguments: argparse.Namespace) -> int:
    """One line a run."""
    database = database_of(arguments)
    for path in arguments.runs:
        say(f"{path}: {load(database, read(path))}")
    return 0
