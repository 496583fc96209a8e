"""The database of all runs: SQLite in a file, or PostgreSQL by a URL that is named by reference."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from access.errors import InputError, MeasurementError
from access.redaction import without_secrets
from cloud_file.cloud import Cloud
from cloud_file.sections.values import SecretReference
from cloud_file.work_folder import called, runs_folder
from reports.history import migrations

FILE = "history.db"
CONNECT_TIMEOUT_S = 10
LOCK_TIMEOUT_S = 60
LOCK_KEY = 0x67707561  # "gpua": PostgreSQL's advisory locks are numbers


class HistoryUnavailable(MeasurementError):
    """The database cannot be reached, read or written: says nothing about the cloud."""


class Database:
    """Opened with the newest schema."""

    def __init__(self, url: URL) -> None:
        self.engine = _engine(url)
        self.shown = url.render_as_string(hide_password=True)
        with self.reading() as connection:
            version = migrations.version_of(connection)
        migrations.refuse_newer(version, migrations.STEPS)
        if version < len(migrations.STEPS):
            with self.writing() as connection:
                migrations.upgrade(connection, migrations.STEPS)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that changes nothing.

        Raises:
            HistoryUnavailable: the database does not answer.
        """
        with self._translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction of the only writer: agents wait for each other.

        Raises:
            HistoryUnavailable: the database does not answer, or another writer does not end.
        """
        with self._translated(), self.engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK_KEY})"))
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            reason = without_secrets(str(getattr(error, "orig", None) or error)).strip()
            raise HistoryUnavailable(
                f"the history in {self.shown} cannot be used: {reason[:500]}",
                remedy=called("reports", "load RUN… puts the run into it later"),
            ) from None

    def close(self) -> None:
        """Give back its connections."""
        self.engine.dispose()


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, connect_args={"connect_timeout": CONNECT_TIMEOUT_S}, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": LOCK_TIMEOUT_S})
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin)
    return engine


def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 would begin late, and commit before each CREATE TABLE


def _begin(connection: Connection) -> None:
    """A writer locks at once: two that both read first could never both go on."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def open_file(path: Path) -> Database:
    """A database in a file; made when it is not there, for its owner alone.

    Raises:
        HistoryUnavailable: it cannot be made or opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        if not path.is_file():
            raise HistoryUnavailable(f"the history in {path} cannot be made: {error.strerror}") from None
    return Database(URL.create("sqlite", database=str(path)))


def open_reference(reference: SecretReference) -> Database:
    """A database whose URL stands in an environment variable or a file.

    Raises:
        InputError: there is no URL, or it cannot be one. Its text is never shown: it may hold a password.
        HistoryUnavailable: it cannot be opened.
    """
    named = f"the variable {reference.env}" if reference.env else f"the file {reference.file}"
    try:
        url = make_url(reference.read().strip())
    except (ArgumentError, ValueError):
        raise InputError(f"{named} holds no database's URL", remedy="postgresql://USER:PASSWORD@HOST/NAME") from None
    if url.get_backend_name() == "sqlite":
        return open_file(Path(url.database) if url.database else default_file())
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise InputError(f"{named} names {url.get_backend_name()}; SQLite and PostgreSQL are known")
    return Database(url.set(drivername="postgresql+psycopg"))


def open_for(cloud: Cloud) -> Database:
    """The database that a cloud file names; without one a file beside the runs.

    Raises:
        InputError: as `open_reference`.
        HistoryUnavailable: it cannot be opened.
    """
    if cloud.history.url is not None:
        return open_reference(cloud.history.url)
    return open_file(cloud.runs_directory / FILE if cloud.runs_directory else default_file())


def open_named(name: str | None) -> Database:
    """The database of a command line: a file, `env:VARIABLE`, or the default file.

    Raises:
        InputError: it is a URL, or as `open_reference`.
        HistoryUnavailable: it cannot be opened.
    """
    if name is None:
        return open_file(default_file())
    if "://" in name:
        raise InputError(
            "a database's URL may hold a password and never stands on a command line",
            remedy="put it into a variable and name that: --database env:NAME",
        )
    if name.startswith("env:"):
        return open_reference(SecretReference(env=name.removeprefix("env:")))
    return open_file(Path(name))


def default_file() -> Path:
    """The history of whoever names none."""
    return runs_folder() / FILE
