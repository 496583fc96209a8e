"""What belongs to a run beside its page: files as links, and the commands that make what is not there yet."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from judging.outcome import Outcome
from reports.history.past import Past
from reports.page_names import CERTIFICATE, CERTIFICATE_PAGE, JUNIT, PAGE, PYTEST_REPORT, TREND
from reports.records import RECORDS
from reports.run import Run


@dataclass(frozen=True)
class Files:
    """Of one run."""

    links: tuple[tuple[str, str], ...] = ()
    """Name and address, relative to the page"""
    commands: tuple[tuple[str, str], ...] = ()
    """What it makes, and the command"""
    previous: str = ""
    """Address of the page of the run before; "" where there is none"""


NONE = Files()


def files_beside(folder: Path, page: Path, run: Run, past: Past, coming: Sequence[str] = ()) -> Files:
    """What is there, as seen from the page; `coming` names files of the folder that are about to be written."""
    runs = folder.parent.parent
    known = (
        ("records", folder / RECORDS),
        ("JUnit XML", folder / JUNIT),
        ("pytest's report", folder / PYTEST_REPORT),
        ("trend of all runs", runs / TREND),
        ("certificate", folder / CERTIFICATE / CERTIFICATE_PAGE),
    )
    there = [
        (name, path) for name, path in known if path.is_file() or (path == folder / path.name and path.name in coming)
    ]
    previous = folder.parent / past.previous.id / PAGE if past.previous else None
    return Files(
        tuple((name, _seen_from(page, path)) for name, path in there),
        tuple(_commands(folder, runs, run, past)),
        _seen_from(page, previous) if previous and previous.is_file() else "",
    )


def _seen_from(page: Path, path: Path) -> str:
    return quote(os.path.relpath(path.absolute(), page.absolute().parent))


def _commands(folder: Path, runs: Path, run: Run, past: Past) -> list[tuple[str, str]]:
    python = ["python", "-m", "reports"]
    name = run.header.id or str(folder)
    trend = [*python, "trend", "--cloud", run.header.cloud, "--html", str(runs / TREND)]
    found = [("the trend of all runs", trend)]
    if past.previous is not None:
        found.append(("all differences to the run before", [*python, "compare", past.previous.id, name]))
    if run.outcome is Outcome.ACCEPTED and run.header.whole:
        rehearsal = ["--rehearsal"] if run.simulated else []
        found.append(("a certificate", [*python, "certify", name, "--key", "FILE", *rehearsal]))
    return [(what, shlex.join(words)) for what, words in found]
