"""A run into the database: once, however often and by however many it is loaded."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from judging.records import Measurement, direction_of
from reports.history.database import Database
from reports.history.surroundings import surroundings_of
from reports.history.tables import CHECKS, FIGURES, ID, RUNS, SURROUNDINGS
from reports.run import Run

TEXT_LIMIT_CHARS = 1000


class Loaded(StrEnum):
    """What became of a run."""

    NEW = "loaded"
    KNOWN = "already there"
    REPLACED = "replaced by what its files hold now"


def load(database: Database, run: Run) -> Loaded:
    """Put a run into the database.

    Raises:
        HistoryUnavailable: the database cannot be written.
    """
    rows = rows_of(run)
    identity = rows[RUNS][0]["id"]
    digest = rows[RUNS][0]["digest"]
    with database.writing() as connection:
        known = connection.execute(select(RUNS.c.digest).where(RUNS.c.id == identity)).scalar_one_or_none()
        if known == digest:
            return Loaded.KNOWN
        if known is not None:
            _remove(connection, identity)
        for table in (RUNS, SURROUNDINGS, CHECKS, FIGURES):
            if rows[table]:
                connection.execute(insert(table), rows[table])
    return Loaded.NEW if known is None else Loaded.REPLACED


def _remove(connection: Connection, identity: str) -> None:
    for table in (FIGURES, CHECKS, SURROUNDINGS):
        connection.execute(delete(table).where(table.c.run_id == identity))
    connection.execute(delete(RUNS).where(RUNS.c.id == identity))


def identity_of(run: Run) -> str:
    """The run's id; older runs have none."""
    return _text(run.header.id or f"{run.header.cloud}-{run.header.started}", ID)


def rows_of(run: Run) -> dict[Table, list[dict[str, Any]]]:
    """What the database keeps of a run."""
    identity = identity_of(run)
    rows: dict[Table, list[dict[str, Any]]] = {
        SURROUNDINGS: [
            {"run_id": identity, "place": _text(place, ID), "name": _text(name, ID), "value": _text(value)}
            for (place, name), value in sorted(surroundings_of(run).items())
        ],
        CHECKS: [
            {
                "run_id": identity,
                "check_id": _text(check.id, ID),
                "place": _text(check.place, ID),
                "verdict": str(check.verdict),
                "cause": _text(check.cause),
            }
            for check in run.checks
        ],
        FIGURES: [{"run_id": identity, **figure} for figure in figures_of(run)],
    }
    header = {
        "id": identity,
        "cloud": _text(run.header.cloud, ID),
        "simulated": run.header.simulated,
        "whole": run.header.whole,
        "started": _text(run.header.started, 40),
        "ended": _text(run.end.ended, 40) if run.end else "",
        "outcome": str(run.outcome),
        "exit_code": run.end.exit_code if run.end else None,
    }
    rows[RUNS] = [{**header, "digest": _digest([header, *rows.values()])}]
    return rows


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _text(value: str, limit_chars: int = TEXT_LIMIT_CHARS) -> str:
    """Hosts print what they like: PostgreSQL takes no NUL, UTF-8 no lone surrogate."""
    return value.replace("\0", "").encode(errors="replace").decode()[:limit_chars]


def figures_of(run: Run) -> list[dict[str, Any]]:
    """One figure for each metric and device: the median of its repetitions."""
    cards = {(host.host, card.index): card.uuid or card.serial for host in run.hosts for card in host.cards}
    grouped: dict[tuple[str, str, str], list[Measurement]] = {}
    for check in run.checks:
        for item in check.measurements:
            if math.isfinite(item.value):
                grouped.setdefault((item.metric, item.host, item.device), []).append(item)
    return [_figure(items, cards) for _, items in sorted(grouped.items())]


def _figure(items: Iterable[Measurement], cards: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    items = list(items)
    first = items[0]
    values = [item.value for item in items]
    return {
        "metric": _text(first.metric, ID),
        "unit": _text(first.unit, 40),
        "direction": _text(first.direction or direction_of(first.metric), 10),
        "host": _text(first.host, ID),
        "device": _text(first.device, ID),
        "card": _text(first.card or card_of(first.host, first.device, cards), ID),
        "median": statistics.median(values),
        "lowest": min(values),
        "highest": max(values),
        "repetitions": len(values),
    }


def card_of(host: str, device: str, cards: Mapping[tuple[str, str], str]) -> str:
    """The UUID of a device, or of both of a pair like "0-1"; "" where one is not known."""
    found = [cards.get((host, index), "") for index in device.split("-")]
    return " ".join(found) if all(found) else ""
