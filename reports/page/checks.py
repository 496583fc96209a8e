"""Every check.

The first rows as HTML, an index of all to sort and filter by, and details that are decoded when opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from judging.layers import layer_of
from judging.outcome import WORST_FIRST
from judging.records import CheckRecord, Verdict
from reports.page.chunks import packed
from reports.page.servers import OF_MACHINES
from reports.page.stack import OTHER, STEPS
from reports.page.text import natural, short, visible

STATIC_ROWS = 100
ROWS_PER_CHUNK = 250
MOST_PACKED_CHARS = 16 * 2**20
"""Of all details together: a browser opens such a page in a moment. What is over it stays in the records."""
MESSAGE_CHARS = 160


@dataclass(frozen=True)
class Checks:
    """What the page's last part shows."""

    ordered: tuple[CheckRecord, ...]
    """Worst first, then as they are named."""
    layers: tuple[str, ...]
    """Steps of the stack, from the bottom up"""
    index: str
    details: tuple[str, ...]
    """Chunks of ROWS_PER_CHUNK rows each, in order"""
    without_detail: int


def checks_of(checks: Sequence[CheckRecord], detail: Callable[[CheckRecord], str]) -> Checks:
    """Order, index and details; `detail` renders what is folded in one row."""
    keys = {name: natural(name) for name in {check.id for check in checks} | {check.place for check in checks}}
    rank = {verdict: index for index, verdict in enumerate(WORST_FIRST)}
    ordered = tuple(
        sorted(checks, key=lambda check: (rank[check.verdict], keys[check.id], keys[check.place], check.test))
    )
    details = _details(ordered, detail)
    found = {layer_of(check.id).step for check in checks}
    layers = tuple(name for name in [name for name, _ in STEPS] + [OTHER] if name in found)
    return Checks(
        ordered, layers, packed(_index(ordered)), details, max(0, len(ordered) - len(details) * ROWS_PER_CHUNK)
    )


def _details(ordered: Sequence[CheckRecord], detail: Callable[[CheckRecord], str]) -> tuple[str, ...]:
    chunks: list[str] = []
    left_chars = MOST_PACKED_CHARS
    for start in range(0, len(ordered), ROWS_PER_CHUNK):
        chunk = packed([detail(check) for check in ordered[start : start + ROWS_PER_CHUNK]])
        left_chars -= len(chunk)
        if left_chars < 0:
            break
        chunks.append(chunk)
    return tuple(chunks)


def _index(ordered: Sequence[CheckRecord]) -> dict[str, object]:
    """Columns, with every name once: what sorting and searching need, no more."""
    kinds: dict[tuple[str, str], int] = {}
    places: dict[str, int] = {}
    messages: dict[int, str] = {}
    columns: dict[str, list[int]] = {"kind": [], "place": [], "verdict": [], "ms": []}
    rank = {verdict: index for index, verdict in enumerate(WORST_FIRST)}
    for row, check in enumerate(ordered):
        columns["kind"].append(kinds.setdefault((check.id, check.fact), len(kinds)))
        columns["place"].append(places.setdefault(check.place, len(places)))
        columns["verdict"].append(rank[check.verdict])
        columns["ms"].append(round(check.duration_s * 1000))
        if check.verdict is not Verdict.PASSED:
            messages[row] = visible(summary_of(check))
    return {
        "kinds": [_kind(check, fact) for check, fact in kinds],
        "places": [visible(short(place)) for place in places],
        "verdicts": [verdict.value for verdict in WORST_FIRST],
        "messages": messages,
        **columns,
    }


def _kind(check: str, fact: str) -> list[object]:
    """Id, fact, layer of the stack, and whether its place is a machine."""
    layer = layer_of(check)
    return [visible(short(check)), visible(short(fact)), layer.step, int(layer.place in OF_MACHINES)]


def anchor_of(check: CheckRecord) -> str:
    """The name by which an address, a terminal and JUnit mean one check: e.g. check:host.iommu.cmdline[compute-0]."""
    place = f"[{visible(short(check.place))}]" if check.place else ""
    return f"check:{visible(short(check.id))}{place}".replace(" ", "_")


def summary_of(check: CheckRecord) -> str:
    """What a row says beside its name: why it is not passed, or the fact."""
    text = " ".join(check.message.split()) if check.verdict is not Verdict.PASSED else ""
    return short(text, MESSAGE_CHARS) or short(check.fact)
