"""`python -m reports trend`: what drifts, since which night, and what else changed then."""

from __future__ import annotations

import argparse
from pathlib import Path

from access.terminal import say
from reports.history.nights import runs_of
from reports.history.options import add_database, cloud_name_of, database_of
from reports.history.trend import as_text, trend_of
from reports.history.trend_page import page
from reports.run import write_atomically

HELP = "what changed in the figures of all nights, by card and metric"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which nights, and where to."""
    parser.add_argument("--since", default="", metavar="DATE", help="only nights from this date on, e.g. 2026-11-01")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page, too")
    parser.add_argument("--fail", action="store_true", help="exit code 1 when a card is worse than it was")
    add_database(parser)


def run(arguments: argparse.Namespace) -> int:
    """All clouds, or the one that was named."""
    database = database_of(arguments)
    named = cloud_name_of(arguments)
    clouds = [named] if named else sorted({each.cloud for each in runs_of(database)})
    trends = [trend_of(database, cloud, since=arguments.since) for cloud in clouds]
    for trend in trends:
        say("\n".join(as_text(trend)))
    if not trends:
        say("no run yet")
    if arguments.html is not None:
        write_atomically(arguments.html, page(trends))
        say(f"written: {arguments.html}")
    return int(arguments.fail and any(change.is_worse for trend in trends for change in trend.changes))
