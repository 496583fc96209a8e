"""`python -m reports list`: the runs that the history has."""

from __future__ import annotations

import argparse

from access.terminal import say
from reports.history.nights import runs_of
from reports.history.options import add_database, cloud_name_of, database_of

HELP = "list the runs of the history, the newest last"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which."""
    add_database(parser)


def run(arguments: argparse.Namespace) -> int:
    """One line a run."""
    runs = runs_of(database_of(arguments), cloud_name_of(arguments))
    for each in runs:
        ended = "" if each.ended else ", cut off"
        part = "" if each.whole else ", a part of the suites"
        simulated = ", simulated hardware" if each.simulated else ""
        say(f"{each.id}  {each.started[:16]}  {each.outcome}{part}{ended}{simulated}")
    if not runs:
        say("no run yet")
    return 0
