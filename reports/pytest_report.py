"""pytest-html's report made whole: it is written before the run has a verdict, and lacks what all can read.

The verdict is put where the summary begins, the language is set, and what can be filtered has a name. A report that was
made whole already gets the verdict of now.
"""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup

from reports import look
from reports.page.verdict import WORDS, head_of
from reports.page_names import PAGE
from reports.run import Run, write_atomically

STYLE = look.TEMPLATES / "pytest_report.css"
"""Given to pytest-html: contrast, and no width that a telephone has not."""
BEGIN, END = "<!-- acceptance -->", "<!-- /acceptance -->"
PLACE = f"{BEGIN}{END}"
"""Where the verdict belongs in the report as pytest-html writes it."""
MOST_CAUSES = 12
BOX = '<div class="results-box" tabindex="0" role="region" aria-label="Results">'
_CHANGES = (
    (re.compile(r"<html>"), '<html lang="en">'),
    (re.compile(r"<head>(?!\s*<meta name=\"viewport\")"), '<head><meta name="viewport" content="width=device-width">'),
    (
        re.compile(r'(name="filter_checkbox" type="checkbox" data-test-result="([\w-]+)")(?! aria)'),
        r'\1 aria-label="\2"',
    ),
    # its script makes the table again, and takes what is written on it away: what scrolls is a box around it
    (re.compile(r'(?<!Results">)(<table id="results-table">.*?</table>)', re.DOTALL), rf"{BOX}\1</div>"),
    (re.compile(r'<img src="" />'), '<img src="" alt="" />'),
)


def verdict_of(run: Run) -> Markup:
    """The verdict as HTML; what hosts said is escaped."""
    causes = run.causes
    head = head_of(run, len(causes))
    template = look.environment(look.TEMPLATES).get_template("pytest_verdict.html")
    return Markup(  # noqa: S704  # the template escapes
        template.render(
            outcome=run.outcome.name.lower(),
            word=WORDS[run.outcome] if run.header.whole else head.word,
            simulated=", on simulated hardware" if run.simulated else "",
            sentence=head.sentence,
            page=PAGE,
            causes=causes[:MOST_CAUSES],
            hidden=max(0, len(causes) - MOST_CAUSES),
        )
    )


def made_whole(report: str, run: Run) -> str:
    """The report's HTML with the verdict; safe to repeat."""
    for wanted, change in _CHANGES:
        report = wanted.sub(change, report, count=0 if "data-test-result" in wanted.pattern else 1)
    begin = report.find(BEGIN)
    end = report.find(END, begin)
    if begin < 0 or end < 0:
        return report
    return f"{report[:begin]}{BEGIN}{verdict_of(run)}{report[end:]}"


def finish(path: Path, run: Run) -> None:
    """Make a report on disk whole, where there is one; for its owner only."""
    if path.is_file():
        write_atomically(path, made_whole(path.read_text(encoding="utf-8"), run))
