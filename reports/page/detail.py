"""What is folded below one check: expectation, finding, source, and each command with its output.

Written without a template: a hundred thousand of them are made for one page.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from judging.records import CheckRecord, Evidence
from reports.page.text import number, plural, short, visible
from reports.page.verdict import moment

MOST_COMMANDS = 20
MOST_FIGURES = 12


def detail_of(check: CheckRecord) -> Markup:
    """All of it as HTML; whatever came from a host is escaped."""
    parts = ["<dl>", *_terms(check), "</dl>", *map(_evidence, check.evidence[:MOST_COMMANDS])]
    if len(check.evidence) > MOST_COMMANDS:
        parts.append(f'<p class="more">{len(check.evidence) - MOST_COMMANDS} more commands are in the records.</p>')
    if check.measurements:
        parts.append(_figures(check))
    if not check.evidence and not check.measurements:
        parts.append(
            '<p class="muted">No command was run for it: its answer came from an API, or it was not reached.</p>'
        )
    return Markup("".join(parts))  # noqa: S704  # each part is escaped below


def safe(text: str) -> str:
    """Text of whatever origin as HTML."""
    return str(escape(visible(text)))


def source_of(text: str) -> Markup:
    """A source as a link where it is a web address, else as it is."""
    shown = safe(short(text))
    is_address = text.startswith(("https://", "http://"))
    return Markup(f'<a href="{safe(text)}" rel="noopener noreferrer">{shown}</a>' if is_address else shown)  # noqa: S704


def where_of(file: str, line_number: int | None) -> str:
    """E.g. /etc/default/grub:6."""
    return short(file, 400) + (f":{line_number}" if line_number is not None else "")


def _terms(check: CheckRecord) -> Iterable[str]:
    if check.message and check.message != check.found:
        yield _text("Why", check.message)
    yield _text("Expected", check.expected or check.fact)
    if check.source:
        yield _term("Source", source_of(check.source))
    if check.found:
        yield _text("Found", check.found)
    if check.cause:
        yield _term("Cause", safe(check.cause))
    if check.fix:
        yield _text("To change", check.fix)
    if check.file:
        yield _term("In", f"<code>{safe(where_of(check.file, check.line_number))}</code>")
    if check.rests_on:
        yield _term("Rests on", ", ".join(f"<code>{safe(name)}</code>" for name in check.rests_on))
    yield _term("Test", _test(check))


def _term(name: str, content: str) -> str:
    return f"<div><dt>{name}</dt><dd>{content}</dd></div>"


def _text(name: str, text: str) -> str:
    return f'<div><dt>{name}</dt><dd class="text">{safe(text)}</dd></div>'


def _test(check: CheckRecord) -> str:
    started = f'<span class="muted">, {safe(moment(check.started))}</span>' if check.started else ""
    worker = f'<span class="muted">, {safe(check.worker)}</span>' if check.worker else ""
    simulated = ", <strong>SIMULATED HARDWARE</strong>" if check.simulated else ""
    return f"<code>{safe(check.test)}</code>{started}{worker}{simulated}"


def _evidence(item: Evidence) -> str:
    exit_class = "exit nonzero" if item.exit_code else "exit"
    shortened = "Shortened. " if item.truncated else ""
    hashed = f"SHA-256 of the whole output: <code>{safe(item.sha256)}</code>" if item.sha256 else ""
    return (
        f'<figure class="evidence"><figcaption><span class="host">{safe(item.host)}</span> '
        f'<code>$ {safe(item.command)}</code> <span class="{exit_class}">exit {item.exit_code}</span></figcaption>'
        f'<pre tabindex="0">{safe(item.output) or "(no output)"}</pre><p class="hash">{shortened}{hashed}</p></figure>'
    )


def _figures(check: CheckRecord) -> str:
    """Those outside their band first."""
    wrong = [m for m in check.measurements if not (m.minimum or m.value) <= m.value <= (m.maximum or m.value)]
    shown = (wrong or check.measurements)[:MOST_FIGURES]
    which = f", {len(wrong)} of them out of band" if wrong else ""
    rest = f"; {len(shown)} of them" if len(shown) < len(wrong or check.measurements) else ""
    spans = "".join(
        f'<span class="figure">{safe(m.metric)} {safe(m.device)}: {number(m.value)} {safe(m.unit)}</span>'
        for m in shown
    )
    return f'<p class="muted">{plural(len(check.measurements), "measurement")}{which}{rest}: {spans}</p>'
