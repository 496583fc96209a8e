"""The acceptance page: one self-contained HTML file made from a run's records.

Nothing in it is fetched, no script but its own runs (a Content-Security-Policy says so), and the same records give
the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from access.collector import without_collector
from judging.outcome import WORST_FIRST
from reports import look, tables
from reports.again import command_of_cause
from reports.history.past import NONE as NO_PAST
from reports.history.past import Past
from reports.page import text
from reports.page.checks import ROWS_PER_CHUNK, STATIC_ROWS, anchor_of, checks_of, summary_of
from reports.page.detail import detail_of, source_of, where_of
from reports.page.figures import figures_of
from reports.page.files import NONE as NO_FILES
from reports.page.files import Files, files_beside
from reports.page.matrices import matrices_of
from reports.page.picture import picture_of
from reports.page.servers import servers_of
from reports.page.stack import layers_of
from reports.page.verdict import MEANINGS, head_of, moment
from reports.page_names import PAGE
from reports.run import Run, read, write_atomically

TEMPLATES = Path(__file__).parent / "templates"
MOST_CAUSES = 50
MOST_UNJUDGED = 50
MOST_TURNS = 40
PastOf = Callable[[Run], Past]


def write(
    run: Path, output: Path | None = None, *, past_of: PastOf = lambda _: NO_PAST, coming: Sequence[str] = ()
) -> Path:
    """Write the page of a run beside its records, or to `output`; whole or not at all.

    `past_of` finds what is known of the runs before; `coming` names files beside the records that are about to be
    written.

    Raises:
        InputError: there is no such run, or its records cannot be used.
    """
    folder = run if run.is_dir() else run.parent
    path = output or folder / PAGE
    with without_collector():
        found = read(run)
        past = past_of(found)
        write_atomically(path, render(found, past, files_beside(folder, path, found, past, coming)))
    return path


def render(run: Run, past: Past = NO_PAST, files: Files = NO_FILES) -> str:
    """The page's HTML."""
    templates = environment()
    causes = run.causes
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
        figures=figures_of(devices, past),
        matrices=matrices,
        hidden_matrices=hidden_matrices,
        servers=servers_of(run),
        past=past,
        files=files,
        most_turns=MOST_TURNS,
        checks=checks_of(run.checks, partial(detail_of, cloud=run.header.cloud)),
        static_rows=STATIC_ROWS,
        style=Markup(style),  # noqa: S704  # ours, and no host has a word in it
        script=Markup(script),  # noqa: S704
        style_hash=look.hash_of(style),
        script_hash=look.hash_of(script),
    )


@cache
def environment() -> Environment:
    """Templates of the page, and how they write texts and figures."""
    made = look.environment(TEMPLATES)
    made.filters.update(
        short=text.short,
        words=lambda value: " ".join(value.split()),
        listed=text.listed,
        in_order=lambda names: sorted(names, key=text.natural),
        number=text.number,
        moment=moment,
        summary=summary_of,
        anchor=anchor_of,
    )
    made.globals.update(plural=text.plural, again=command_of_cause, detail=detail_of, source=source_of, where=where_of)
    return made
