"""`python -m reports page RUN`: write the acceptance page of a run again."""

from __future__ import annotations

import argparse
from pathlib import Path

from access.terminal import say
from reports import run_names

HELP = "write the acceptance page of a run (acceptance.html beside its records)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A run, and where the page goes."""
    parser.add_argument("run", metavar="RUN", help="directory of a run, its id, or a cloud for its latest run")
    parser.add_argument("--output", metavar="FILE", type=Path, help="where to (default: beside the records)")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from reports.page import write  # pandas and the templates take a second to load

    say(write(run_names.find(arguments.run), arguments.output))
    return 0
