"""`python -m reports page RUN`: write the acceptance page of a run again."""

from __future__ import annotations

import argparse
from pathlib import Path

from access.terminal import say
from reports import run_names
from reports.history.database import HistoryUnavailable, default_file, open_named
from reports.history.past import NONE, Past, past_of
from reports.run import Run

HELP = "write the acceptance page of a run (acceptance.html beside its records)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A run, and where the page goes."""
    parser.add_argument("run", metavar="RUN", help="directory of a run, its id, or a cloud for its latest run")
    parser.add_argument(
        "--database", metavar="REF", help="a SQLite file or env:VARIABLE that holds a URL: the runs before this one"
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="where to (default: beside the records)")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from reports.page import write  # pandas and the templates take a second to load

    found = run_names.find(arguments.run)
    say(write(found, arguments.output, past_of=lambda run: past(run, arguments.database)))
    return 0


def past(run: Run, database: str | None = None) -> Past:
    """What the named history has of the runs before; without a name what the default one has, where there is one.

    Raises:
        InputError: the name cannot be used.
        HistoryUnavailable: a history that was named cannot be read.
    """
    if database is None and not default_file().is_file():
        return NONE
    try:
        return past_of(open_named(database), run)
    except HistoryUnavailable:
        if database is not None:
            raise
        return NONE
