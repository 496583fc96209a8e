"""The way from every older schema to the newest: one function a version, only ever added to.

A step is written out in SQL that both databases know and never uses reports.history.tables, which change later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, inspect, select, text, update

from access.errors import InputError
from reports.history.tables import SCHEMA

Step = Callable[[Connection], None]


def _run_all(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(text(statement))


def _first(connection: Connection) -> None:
    """Runs, their surroundings, checks and figures."""
    _run_all(
        connection,
        "CREATE TABLE runs (id VARCHAR(200) PRIMARY KEY, cloud VARCHAR(200) NOT NULL, simulated BOOLEAN NOT NULL,"
        " whole BOOLEAN NOT NULL, started VARCHAR(40) NOT NULL, ended VARCHAR(40) NOT NULL,"
        " outcome VARCHAR(40) NOT NULL, exit_code INTEGER, digest VARCHAR(64) NOT NULL)",
        "CREATE INDEX ix_runs_cloud ON runs (cloud)",
        "CREATE TABLE surroundings (run_id VARCHAR(200) NOT NULL REFERENCES runs (id), place VARCHAR(200) NOT NULL,"
        " name VARCHAR(200) NOT NULL, value TEXT NOT NULL)",
        "CREATE INDEX surroundings_of_run ON surroundings (run_id)",
        "CREATE TABLE checks (run_id VARCHAR(200) NOT NULL REFERENCES runs (id), check_id VARCHAR(200) NOT NULL,"
        " place VARCHAR(200) NOT NULL, verdict VARCHAR(40) NOT NULL, cause TEXT NOT NULL)",
        "CREATE INDEX checks_of_run ON checks (run_id)",
        "CREATE TABLE figures (run_id VARCHAR(200) NOT NULL REFERENCES runs (id), metric VARCHAR(200) NOT NULL,"
        " unit VARCHAR(40) NOT NULL, direction VARCHAR(10) NOT NULL, host VARCHAR(200) NOT NULL,"
        " device VARCHAR(200) NOT NULL, card VARCHAR(200) NOT NULL, median DOUBLE PRECISION NOT NULL,"
        " lowest DOUBLE PRECISION NOT NULL, highest DOUBLE PRECISION NOT NULL, repetitions INTEGER NOT NULL)",
        "CREATE INDEX figures_of_run ON figures (run_id)",
    )


STEPS: tuple[Step, ...] = (_first,)


def version_of(connection: Connection) -> int:
    """Of the database's schema; 0 for an empty database."""
    if not inspect(connection).has_table(SCHEMA.name):
        return 0
    return int(connection.execute(select(SCHEMA.c.version)).scalar_one_or_none() or 0)


def refuse_newer(version: int, steps: Sequence[Step] = STEPS) -> None:
    """A newer suite's database is not touched.

    Raises:
        InputError: it is one.
    """
    if version > len(steps):
        raise InputError(
            f"the history was made by a newer suite: schema {version}, this one knows {len(steps)}",
            remedy="update this suite, or name another database",
        )


def upgrade(connection: Connection, steps: Sequence[Step] = STEPS) -> None:
    """Bring the schema to the newest version; within the caller's transaction, so wholly or not at all.

    Raises:
        InputError: it is newer than this suite.
    """
    version = version_of(connection)
    refuse_newer(version, steps)
    if version == 0:
        connection.execute(text(f"CREATE TABLE IF NOT EXISTS {SCHEMA.name} (version INTEGER NOT NULL)"))
        connection.execute(insert(SCHEMA).values(version=0))
    for step in steps[version:]:
        step(connection)
    connection.execute(update(SCHEMA).values(version=len(steps)))
