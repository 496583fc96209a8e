"""Two runs side by side: surroundings, verdicts, figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from access.errors import InputError
from cloud_file.work_folder import called
from reports.history.change_points import LEAST_CHANGE
from reports.history.database import Database
from reports.history.loading import rows_of
from reports.history.nights import key_of
from reports.history.surroundings import Surroundings, differences
from reports.history.tables import CHECKS, FIGURES, RUNS, SURROUNDINGS
from reports.run import read

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Kept:
    """What the database keeps of one run."""

    run: Row
    surroundings: Surroundings
    checks: Mapping[tuple[str, str], str]
    """Verdict by check and place."""
    figures: tuple[Row, ...]


def kept(database: Database, name: str) -> Kept:
    """A run by its id, the beginning of its id, a cloud's name (its newest run), or its directory.

    Raises:
        InputError: there is none, or more than one.
    """
    if Path(name).exists():
        rows = rows_of(read(Path(name)))
        return _kept(rows[RUNS][0], rows)
    with database.reading() as connection:
        run = _find(connection, name)
        tables = (SURROUNDINGS, CHECKS, FIGURES)
        return _kept(run, {table: _rows(connection, table, run["id"]) for table in tables})


def _find(connection: Connection, name: str) -> Row:
    every = [row._mapping for row in connection.execute(select(RUNS).order_by(RUNS.c.started, RUNS.c.id))]
    exact = [run for run in every if run["id"] == name] or [run for run in every if run["cloud"] == name][-1:]
    found = exact or [run for run in every if run["id"].startswith(name)]
    if len(found) == 1:
        return dict(found[0])
    known = f"; {len(found)} begin so: {', '.join(run['id'] for run in found[-5:])}" if found else ""
    raise InputError(f"no one run {name!r} in the history{known}", remedy=called("reports", "list"))


def _rows(connection: Connection, table: Table, run_id: str) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(table).where(table.c.run_id == run_id))]


def _kept(run: Row, rows: Mapping[Table, list[dict[str, Any]]]) -> Kept:
    return Kept(
        run,
        {(row["place"], row["name"]): row["value"] for row in rows[SURROUNDINGS]},
        {(row["check_id"], row["place"]): row["verdict"] for row in rows[CHECKS]},
        tuple(rows[FIGURES]),
    )


def compare(a: Kept, b: Kept) -> Iterator[str]:
    """Lines for a terminal: what is different in `b`."""
    for run in (a.run, b.run):
        simulated = "  SIMULATED HARDWARE" if run["simulated"] else ""
        part = "" if run["whole"] else ", a part of the suites"
        yield f"{run['id']}: {run['outcome']}{part}{simulated}"
    yield from _section("surroundings", map(str, differences(a.surroundings, b.surroundings)))
    yield from _section("verdicts", _verdicts(a, b))
    yield from _section("figures", _figures(a, b))


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = [f"  {line}" for line in lines]
    yield f"{title}:" if found else f"{title}: no difference"
    yield from found


def _verdicts(a: Kept, b: Kept) -> Iterator[str]:
    for check, place in sorted({*a.checks, *b.checks}):
        before, after = a.checks.get((check, place)), b.checks.get((check, place))
        if before != after:
            where = f" [{place}]" if place else ""
            yield f"{check}{where}: {before or '(not run)'} → {after or '(not run)'}"


def _figures(a: Kept, b: Kept) -> Iterator[str]:
    """The largest loss first. Repetitions that overlap are no difference."""
    before = {_key(row): row for row in a.figures}
    found = []
    for row in b.figures:
        old = before.get(_key(row))
        if old is not None and old["median"] > 0 and row["median"] > 0:
            ratio = row["median"] / old["median"]
            apart = row["lowest"] > old["highest"] or row["highest"] < old["lowest"]
            if apart and abs(ratio - 1) >= LEAST_CHANGE:
                found.append((ratio if row["direction"] == "higher" else 1 / ratio, old, row))
    for performance, old, row in sorted(found, key=lambda item: (item[0], item[2]["metric"], item[2]["device"])):
        card = row["card"] or f"{row['host']} card {row['device']}"
        word = "worse" if performance < 1 else "better"
        percent = abs(row["median"] / old["median"] - 1) * 100
        yield (
            f"{row['metric']} of {card}: {old['median']:.4g} → {row['median']:.4g} {row['unit']}, "
            f"{word} by {percent:.1f} %"
        )


def _key(row: Row) -> Any:
    return key_of(row["metric"], row["card"], row["host"], row["device"])
