"""Servers by layers: a row for each machine, a column for each step of the stack, the worst verdict in each cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from judging.layers import Place, layer_of
from judging.outcome import WORST_FIRST
from judging.records import CheckRecord, Verdict
from reports.page.stack import OTHER, STEPS
from reports.page.text import natural
from reports.run import Run

CLOUD = "the cloud as a whole"
OF_MACHINES = (Place.HOST, Place.GUEST)


@dataclass(frozen=True)
class Cell:
    """All checks of one layer at one machine."""

    verdict: Verdict
    """The worst"""
    count: int
    """Of that verdict"""
    total: int


@dataclass(frozen=True)
class Row:
    """One machine."""

    name: str
    place: str
    """As its checks name it; "" for the cloud"""
    kind: str
    worst: Verdict | None
    """None where nothing was checked"""
    cells: tuple[Cell | None, ...]
    """One for each layer; None where nothing was checked"""
    instances: tuple[str, ...]
    """Of a server: instances with cards of it, whose layers are counted here, too"""


@dataclass(frozen=True)
class Servers:
    """The table."""

    layers: tuple[str, ...]
    rows: tuple[Row, ...]
    """Worst first, then servers before instances, then by name"""


Counts = dict[str, dict[str, Counter[Verdict]]]
"""By place and layer."""


def servers_of(run: Run) -> Servers:
    """All declared machines and whatever else was looked at."""
    counts = _counts(run.checks)
    layers = [name for name, _ in STEPS]
    layers += [OTHER] if any(OTHER in found for found in counts.values()) else []
    instances = _instances(run)
    names = counts.keys() | run.header.declared_hosts.keys() | run.header.declared_guests.keys()
    rows = [_row(run, name, counts, layers, instances.get(name, ())) for name in names]
    return Servers(tuple(layers), tuple(sorted(rows, key=_order)))


def _counts(checks: Sequence[CheckRecord]) -> Counts:
    """A case of a test that makes instances of its own, and what is of no machine, stands with the cloud."""
    steps: dict[str, tuple[str, bool]] = {}
    found: Counts = {}
    for check in checks:
        if check.id not in steps:
            layer = layer_of(check.id)
            steps[check.id] = layer.step, layer.place in OF_MACHINES
        step, is_of_machine = steps[check.id]
        place = check.place if is_of_machine else ""
        found.setdefault(place, {}).setdefault(step, Counter())[check.verdict] += 1
    return found


def _instances(run: Run) -> Mapping[str, tuple[str, ...]]:
    """Instances by the server that their cards stand in."""
    found: dict[str, set[str]] = {}
    for check in run.checks:
        for card in check.cards:
            if card.is_located and card.instance not in ("", card.host):
                found.setdefault(card.host, set()).add(card.instance)
    return {host: tuple(sorted(names, key=natural)) for host, names in found.items()}


def _row(run: Run, name: str, counts: Counts, layers: Sequence[str], instances: tuple[str, ...]) -> Row:
    own = dict(counts.get(name, {}))
    for instance in instances:
        for step, more in counts.get(instance, {}).items():
            own[step] = own.get(step, Counter()) + more
    cells = tuple(_cell(own[layer]) if layer in own else None for layer in layers)
    verdicts = [cell.verdict for cell in cells if cell is not None]
    worst = min(verdicts, key=WORST_FIRST.index) if verdicts else None
    return Row(name or CLOUD, name, _kind(run, name), worst, cells, instances)


def _cell(verdicts: Counter[Verdict]) -> Cell:
    worst = next(verdict for verdict in WORST_FIRST if verdicts[verdict])
    return Cell(worst, verdicts[worst], verdicts.total())


def _kind(run: Run, name: str) -> str:
    if not name:
        return "cloud"
    kinds = (("GPU host", run.header.declared_hosts), ("instance", run.header.declared_guests))
    return next((kind for kind, declared in kinds if name in declared), "machine")


def _order(row: Row) -> tuple[int, int, object]:
    kinds = ("cloud", "GPU host", "machine", "instance")
    rank = WORST_FIRST.index(row.worst) if row.worst is not None else len(WORST_FIRST)
    return rank, kinds.index(row.kind), natural(row.name)
