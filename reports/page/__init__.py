"""The acceptance page: one self-contained HTML file made from a run's records.

Nothing in it is fetched, no script but its own runs (a Content-Security-Policy says so), and the same records give
the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from judging.outcome import WORST_FIRST
from reports import tables
from reports.diagnosis import diagnose
from reports.page import text
from reports.page.checks import ROWS_PER_CHUNK, STATIC_ROWS, checks_of, summary_of
from reports.page.detail import detail_of, source_of, where_of
from reports.page.figures import figures_of
from reports.page.matrices import matrices_of
from reports.page.picture import picture_of
from reports.page.stack import layers_of
from reports.page.verdict import MEANINGS, head_of, moment
from reports.run import Run, read, without_collector, write_atomically

PAGE = "acceptance.html"
TEMPLATES = Path(__file__).parent / "templates"
MOST_CAUSES = 50
MOST_UNJUDGED = 50


def write(run: Path, output: Path | None = None) -> Path:
    """Write the page of a run beside its records, or to `output`; whole or not at all.

    Raises:
        InputError: there is no such run, or its records cannot be used.
    """
    path = output or (run if run.is_dir() else run.parent) / PAGE
    with without_collector():
        write_atomically(path, render(read(run)))
    return path


def render(run: Run) -> str:
    """The page's HTML."""
    templates = environment()
    causes = diagnose(run.checks)
    devices = tables.device_figures(run.checks)
    matrices, hidden_matrices = matrices_of(devices)
    style = templates.get_template("page.css").render(simulated=run.simulated)
    script = templates.get_template("page.js").render(rows_per_chunk=ROWS_PER_CHUNK, static_rows=STATIC_ROWS)
    return templates.get_template("page.html").render(
        run=run,
        head=head_of(run, len(causes)),
        causes=causes[:MOST_CAUSES],
        hidden_causes=max(0, len(causes) - MOST_CAUSES),
        most_unjudged=MOST_UNJUDGED,
        meanings=MEANINGS,
        verdicts=WORST_FIRST,
        layers=layers_of(run),
        picture=picture_of(run, devices),
        figures=figures_of(devices),
        matrices=matrices,
        hidden_matrices=hidden_matrices,
        checks=checks_of(run.checks, detail_of),
        static_rows=STATIC_ROWS,
        style=Markup(style),  # noqa: S704  # ours, and no host has a word in it
        script=Markup(script),  # noqa: S704
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _hash(source: str) -> str:
    """As a Content-Security-Policy names an inline element that may be used: https://www.w3.org/TR/CSP3/."""
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


@cache
def environment() -> Environment:
    """Templates of the page. Everything is escaped, and a name that is not there is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        ),
    )
    made.filters.update(
        short=text.short,
        listed=text.listed,
        in_order=lambda names: sorted(names, key=text.natural),
        number=text.number,
        moment=moment,
        summary=summary_of,
    )
    made.globals.update(plural=text.plural, detail=detail_of, source=source_of, where=where_of)
    return made
