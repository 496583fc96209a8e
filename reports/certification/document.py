"""The certificate as HTML and PDF; the same run, deviations and catalogue give the same bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.certification.requirements import Decision, Judged
from reports.run import Run
from reports.tables import measurements, summary

REHEARSAL = "REHEARSAL – SIMULATED HARDWARE, NOT A CERTIFICATE"
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

    @property
    def ended(self) -> str:
        """End of the run: all that is made has this date. ISO 8601, UTC."""
        return self.run.end.ended if self.run.end else self.run.header.started


def html(content: Content) -> str:
    """One self-contained page; all that came from hosts or people is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    frame = measurements(content.run.checks)
    return environment.get_template("certificate.html.j2").render(
        content=content, rehearsal=REHEARSAL, figures=_figures(frame), rows=ROWS_IN_PDF, count=len(frame)
    )


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
