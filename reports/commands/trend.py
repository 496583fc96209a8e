"""`python -m reports trend`: what drifts, since which night, and what else changed then."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from urllib.parse import quote

from access.terminal import say
from cloud_file.work_folder import runs_folder
from reports.history.database import Database
from reports.history.nights import runs_of
from reports.history.options import add_database, cloud_name_of, database_of
from reports.history.trend import as_text, trend_of
from reports.history.trend_page import LinkOf, page
from reports.page_names import PAGE
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
        write_atomically(arguments.html, page(trends, _links(arguments.html, database)))
        say(f"written: {arguments.html}")
    return int(arguments.fail and any(change.is_worse for trend in trends for change in trend.changes))


def _links(page_path: Path, database: Database) -> LinkOf:
    """Addresses of runs whose pages lie on this machine, as seen from the trend's own folder."""
    folder = page_path.absolute().parent
    file = database.engine.url.database if database.engine.url.get_backend_name() == "sqlite" else None
    runs = runs_folder()
    beside = Path(file).absolute().parent if file else runs
    found: dict[str, str] = {}
    for run in runs_of(database):
        places = (folder, beside, beside / run.cloud, runs / run.cloud)
        pages = (place / "reports" / run.id / PAGE for place in places)
        path = next((path for path in pages if path.is_file()), None)
        if path is not None:
            found[run.id] = quote(os.path.relpath(path, folder))
    return lambda run_id: found.get(run_id, "")
