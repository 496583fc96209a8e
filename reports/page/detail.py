"""What is folded below one check: expectation, finding, source, figures, and each command with its output.

Written without a template: a hundred thousand of them are made for one page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from markupsafe import Markup, escape

from judging.records import CheckRecord, Evidence, Measurement, Verdict
from reports.again import command_of
from reports.look import unit
from reports.page.text import number, plural, short, visible
from reports.page.verdict import moment

MOST_COMMANDS = 20
MOST_FIGURES = 12
LONG_COMMAND_CHARS = 200
HELPER = re.compile(r"\s*(command -v |date \+%s|id -u|true$|test -|sudo -n true)")
"""Commands that find out how to ask; their answers are no finding."""
_ADDRESS = re.compile(r"https?://[^\s<>\"'`{}|\\^]+[^\s<>\"'`{}|\\^.,;:!?)\]]")


def detail_of(check: CheckRecord, cloud: str = "") -> Markup:
    """All of it as HTML; whatever came from a host is escaped. With `cloud` it says how to make the check again."""
    parts = ["<dl>", *_terms(check, cloud), "</dl>"]
    if check.measurements:
        parts.append(_figures(check.measurements))
    parts += _commands(check.evidence)
    if not check.evidence and not check.measurements:
        parts.append(
            '<p class="muted">No command was run for it: its answer came from an API, or it was not reached.</p>'
        )
    return Markup("".join(parts))  # noqa: S704  # each part is escaped below


def safe(text: str) -> str:
    """Text of whatever origin as HTML."""
    return str(escape(visible(text)))


def source_of(text: str) -> Markup:
    """A source with each web address in it as a link, and nothing else as one."""
    shown, parts, at = short(text), [], 0
    for found in _ADDRESS.finditer(shown):
        address = safe(found.group())
        parts += [safe(shown[at : found.start()]), f'<a href="{address}" rel="noopener noreferrer">{address}</a>']
        at = found.end()
    return Markup("".join([*parts, safe(shown[at:])]))  # noqa: S704  # each part is escaped


def where_of(file: str, line_number: int | None) -> str:
    """E.g. /etc/default/grub:6."""
    return short(file, 400) + (f":{line_number}" if line_number is not None else "")


def _terms(check: CheckRecord, cloud: str) -> Iterable[str]:
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
        yield _term("To change", f'<span class="text" data-copy="what to change">{safe(check.fix)}</span>')
    if check.file:
        yield _term("In", f'<code data-copy="the place">{safe(where_of(check.file, check.line_number))}</code>')
    if check.rests_on:
        yield _term("Rests on", ", ".join(f"<code>{safe(name)}</code>" for name in check.rests_on))
    again = command_of(cloud, check) if cloud and check.verdict is not Verdict.PASSED else ""
    if again:
        yield _term("Check again", f'<code data-copy="the command">{safe(again)}</code>')
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


def _commands(evidence: Sequence[Evidence]) -> Iterable[str]:
    """Each command with its output, once where it said the same again; helpers are folded, and stand last."""
    times = Counter(replace(item, duration_s=0.0) for item in evidence)
    asked = [item for item in times if not HELPER.match(item.command)]
    helpers = [item for item in times if HELPER.match(item.command)] if asked else []
    shown = asked or list(times)
    yield from (_evidence(item, times[item]) for item in shown[:MOST_COMMANDS])
    if helpers:
        yield f'<details class="helpers"><summary>{plural(len(helpers), "helper command")}</summary>'
        yield from (_evidence(item, times[item]) for item in helpers[:MOST_COMMANDS])
        yield "</details>"
    left = max(0, len(shown) - MOST_COMMANDS) + max(0, len(helpers) - MOST_COMMANDS)
    if left:
        yield f'<p class="more">{left} more commands are in the records.</p>'


def _evidence(item: Evidence, times: int) -> str:
    exit_class = "exit nonzero" if item.exit_code else "exit"
    shortened = "Shortened. " if item.truncated else ""
    hashed = f"SHA-256 of the whole output: <code>{safe(item.sha256)}</code>" if item.sha256 else ""
    again = f' <span class="muted">{times} times the same</span>' if times > 1 else ""
    return (
        f'<figure class="evidence"><figcaption><span class="host">{safe(item.host)}</span> '
        f'{_command(item.command)} <span class="{exit_class}">exit {item.exit_code}</span>{again}</figcaption>'
        f'<pre tabindex="0">{safe(item.output) or "(no output)"}</pre><p class="hash">{shortened}{hashed}</p></figure>'
    )


def _command(text: str) -> str:
    """As it was run; a script is folded below its first line."""
    if "\n" not in text.strip() and len(text) <= LONG_COMMAND_CHARS:
        return f'<code class="command" data-copy="the command">{safe(text)}</code>'
    lines = text.strip().splitlines() or [""]
    size = plural(len(lines), "line")
    return (
        f'<details class="script"><summary><code class="command">{safe(short(lines[0], 80))}</code> '
        f'<span class="muted">script of {size}</span></summary><pre data-copy="the script">{safe(text.strip())}</pre>'
        "</details>"
    )


def _figures(measurements: Sequence[Measurement]) -> str:
    """Those outside their band first."""
    wrong = [m for m in measurements if not (m.minimum or m.value) <= m.value <= (m.maximum or m.value)]
    shown = (wrong or measurements)[:MOST_FIGURES]
    which = f", {len(wrong)} of them out of band" if wrong else ""
    rest = f"; {len(shown)} of them" if len(shown) < len(wrong or measurements) else ""
    spans = "".join(
        f'<span class="figure">{safe(m.metric)} {safe(m.device)}: {number(m.value)} {safe(unit(m.unit))}</span>'
        for m in shown
    )
    return f'<p class="figures">{plural(len(measurements), "measurement")}{which}{rest}: {spans}</p>'
