"""`python -m reports compare A B`: what is different in run B."""

from __future__ import annotations

import argparse

from access.terminal import say
from reports.history.comparison import compare, kept
from reports.history.options import add_database, database_of

HELP = "compare two runs: surroundings, verdicts, figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which."""
    name = "a run's id or how it begins, a cloud (its newest run), or a run's directory"
    parser.add_argument("a", metavar="A", help=name)
    parser.add_argument("b", metavar="B", help=name)
    add_database(parser)


def run(arguments: argparse.Namespace) -> int:
    """The differences."""
    database = database_of(arguments)
    for line in compare(kept(database, arguments.a), kept(database, arguments.b)):
        say(line)
    return 0
