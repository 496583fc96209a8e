"""The certificate as HTML and PDF; the same run, deviations and catalogue give the same bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from reports import look
from reports.certification.requirements import Decision, Judged
from reports.certification.subject import server_pages
from reports.run import Run, text_of
from reports.tables import measurements, summary

REHEARSAL = "REHEARSAL – SIMULATED HARDWARE, NOT A CERTIFICATE"
TEMPLATES = Path(__file__).parent / "templates"
ROWS_IN_PDF = 2000
"""Figures beyond that are in the records only."""


@dataclass(frozen=True)
class Content:
    """What the certificate says."""

    run: Run
    subject: dict[str, Any]
    judged: tuple[Judged, ...]
    decision: Decision
    rehearsal: bool
    catalogue_sha256: str
    previous: tuple[str, ...]
    """What changed since the certificate before; empty where there is none."""
    tester: str = ""
    place: str = ""
    """Who tested, and where, as they were given; "" where they were not"""

    @cached_property
    def number(self) -> str:
        """The same for the same records, and for no others: cloud, date and the beginning of their sha256."""
        digest = hashlib.sha256(text_of(self.run)).hexdigest()
        return f"{self.subject['cloud']}-{self.ended[:10].replace('-', '')}-{digest[:10]}"

    @property
    def verdict(self) -> str:
        """The decision; of a rehearsal it is none, and says so."""
        return f"REHEARSAL {self.decision}" if self.rehearsal else str(self.decision)

    @property
    def ended(self) -> str:
        """End of the run: all that is made has this date. ISO 8601, UTC."""
        return self.run.end.ended if self.run.end else self.run.header.started


def html(content: Content) -> str:
    """One self-contained page; all that came from hosts or people is escaped."""
    templates = look.environment(TEMPLATES)
    templates.filters.update(moment=_moment, duration=_duration)
    frame = measurements(content.run.checks)
    figures = _figures(frame)
    pages = server_pages(content.run)
    known = {name for page in pages for name in page.names}
    style = templates.get_template("certificate.css").render(
        rehearsal=REHEARSAL if content.rehearsal else "", run=_in_css(content.subject["run"])
    )
    return templates.get_template("certificate.html.j2").render(
        content=content,
        rehearsal=REHEARSAL,
        pages=[(page, [row for row in figures if row["host"] in page.names]) for page in pages],
        elsewhere=[row for row in figures if row["host"] not in known],
        unplaced=[card for card in content.subject["cards"] if not any(card in page.cards for page in pages)],
        figures=figures,
        rows=ROWS_IN_PDF,
        count=len(frame),
        style=Markup(style),  # noqa: S704  # ours; the run's id is made harmless
        style_hash=look.hash_of(style),
    )


def _in_css(text: str) -> str:
    """Text for a string of CSS: nothing in it may end the string or the element."""
    return "".join(letter for letter in text if letter.isalnum() or letter in "-_. ")


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def _figures(frame: pd.DataFrame) -> list[dict[str, Any]]:
    tables = [summary(frame, kind) for kind in ("bandwidth", "latency")]
    rows: list[dict[str, Any]] = [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for table in tables
        for row in table.to_dict("records")
    ]
    return rows[:ROWS_IN_PDF]


def pdf(page: str, content: Content) -> bytes:
    """The page as PDF/A-like document without a trace of when and where it was made."""
    from weasyprint import HTML  # type: ignore[import-untyped]  # slow to import, and only this needs it

    identifier = hashlib.sha256(page.encode(errors="replace")).digest()[:16]
    with _source_date(content.ended):
        made: bytes = HTML(string=page, base_url=None).write_pdf(pdf_identifier=identifier)
    return made


@contextmanager
def _source_date(ended: str) -> Iterator[None]:
    """Fonts that are cut down carry a date: https://reproducible-builds.org/docs/source-date-epoch/."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = str(int(datetime.fromisoformat(ended).timestamp()))
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before
