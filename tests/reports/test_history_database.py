"""Runs in the database: once, whole, from many agents, in SQLite and in a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import UUIDS, check, made_run, write
from postgresql import PASSWORD, running
from sqlalchemy import create_engine, func, inspect, select, text
from sqlalchemy.pool import NullPool

from access.errors import InputError
from cloud_file.sections.values import SecretReference
from judging.records import Verdict
from reports.__main__ import main
from reports.history import migrations
from reports.history.database import Database, HistoryUnavailable, open_file, open_named, open_reference
from reports.history.loading import Loaded, load
from reports.history.nights import runs_of, series_of
from reports.history.tables import CHECKS, METADATA, RUNS, SCHEMA

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        with running(Path(parent) / "postgresql") as url:
            yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request, tmp_path, monkeypatch) -> Iterator[Callable[[], Database]]:
    """Opens the same database again and again; an empty one for each test."""
    if request.param == "sqlite":
        yield lambda: open_file(tmp_path / "history.db")
        return
    url = request.getfixturevalue("server")
    monkeypatch.setenv("HISTORY_URL", url)
    yield lambda: open_reference(SecretReference(env="HISTORY_URL"))
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    METADATA.drop_all(engine)


def test_a_run_is_there_once_however_often_it_is_loaded(opened):
    """The second time says so; what is read back is what was written."""
    database = opened()

    answers = [load(database, made_run()), load(database, made_run())]

    assert answers == [Loaded.NEW, Loaded.KNOWN]
    (kept,) = runs_of(database, "cloud-1")
    assert (kept.outcome, kept.exit_code, kept.whole, kept.simulated) == ("accepted", 0, True, False)
    series = {(each.key.metric, each.key.card): each for each in series_of(database, "cloud-1")}
    assert series["bandwidth.h2d", UUIDS[1]].values == [pytest.approx(11.902)]
    assert {card for _, card in series} == set(UUIDS[:3])


def test_a_run_that_was_cut_off_is_replaced_when_it_is_whole(opened):
    """Nothing of the first state is left."""
    database = opened()
    whole = made_run()

    answers = [load(database, replace(whole, end=None, checks=whole.checks[:2])), load(database, whole)]

    assert answers == [Loaded.NEW, Loaded.REPLACED]
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(CHECKS)).scalar_one() == len(whole.checks)
        assert connection.execute(select(RUNS.c.outcome)).scalar_one() == "accepted"


def test_what_hosts_print_does_not_break_the_database(opened):
    """NUL, a lone surrogate, quotes and length: kept without what a database cannot hold."""
    evil = "x\0'; DROP TABLE runs; -- \ud800" + "y" * 5000
    bad = check("host.evil", evil, Verdict.FAILED, cause=evil)
    database = opened()

    load(database, made_run(more=[bad], facts={"kernel": evil}))

    with database.reading() as connection:
        cause = connection.execute(select(CHECKS.c.cause).where(CHECKS.c.check_id == "host.evil")).scalar_one()
    assert cause.startswith("x'; DROP TABLE runs; -- ?")
    assert len(cause) == 1000


LOADER = """
import sys
from pathlib import Path
sys.path[:0] = [{repository!r}, {tests!r}]
from made_runs import made_run
from reports.history.database import open_named
from reports.history.loading import load
sys.stdin.read()
for night in range(6):
    load(open_named(sys.argv[1]), made_run(night))
"""


def test_agents_at_the_same_time_lose_nothing(opened, tmp_path):
    """Two processes open an empty database and load the same six runs at once."""
    database_name = "env:HISTORY_URL" if "HISTORY_URL" in os.environ else str(tmp_path / "history.db")
    program = LOADER.format(repository=str(REPOSITORY), tests=str(Path(__file__).parent))
    agents = [
        subprocess.Popen([sys.executable, "-c", program, database_name], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]

    ends = [agent.communicate(timeout=240)[1].decode() for agent in agents]

    assert [agent.returncode for agent in agents] == [0] * 2, ends
    database = opened()
    assert len(runs_of(database)) == 6
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(CHECKS)).scalar_one() == 6 * len(made_run().checks)


def test_an_older_schema_is_brought_forward_with_its_data(opened, monkeypatch):
    """A later suite's step runs once, on what is there; this suite then refuses the newer database."""
    database = opened()
    load(database, made_run())
    later = (*migrations.STEPS, lambda connection: connection.execute(text("ALTER TABLE runs ADD COLUMN site TEXT")))

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", later)
        with database.writing() as connection:
            migrations.upgrade(connection, later)
            migrations.upgrade(connection, later)
        assert len(runs_of(opened())) == 1

    with database.reading() as connection:
        assert "site" in {column["name"] for column in inspect(connection).get_columns("runs")}
        assert connection.execute(select(SCHEMA.c.version)).scalars().all() == [len(later)]
    with pytest.raises(InputError, match="newer suite"):
        opened()


def test_a_step_that_fails_leaves_the_schema_as_it_was(opened):
    """Wholly or not at all."""
    database = opened()
    load(database, made_run())
    broken = (*migrations.STEPS, lambda connection: connection.execute(text("ALTER TABLE nowhere ADD COLUMN x TEXT")))

    with pytest.raises(HistoryUnavailable, match="nowhere"), database.writing() as connection:
        migrations.upgrade(connection, broken)

    assert len(runs_of(opened())) == 1


def test_the_schema_is_that_of_the_tables(opened):
    """The steps and the tables that queries are written with agree."""
    with opened().reading() as connection:
        found = inspect(connection)
        for table in METADATA.sorted_tables:
            assert [column["name"] for column in found.get_columns(table.name)] == list(table.c.keys())


def test_the_password_of_an_unreachable_server_is_never_shown(monkeypatch):
    """What cannot be reached is named without it."""
    monkeypatch.setenv("HISTORY_URL", f"postgresql://user:{PASSWORD}@127.0.0.1:1/none")

    with pytest.raises(HistoryUnavailable) as caught:
        open_named("env:HISTORY_URL")

    assert "127.0.0.1:1" in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("url", [f"not a url {PASSWORD}", f"mysql://user:{PASSWORD}@db/x", ""])
def test_a_url_that_cannot_be_used_is_not_shown_either(monkeypatch, url):
    """The variable is named, not its content."""
    monkeypatch.setenv("HISTORY_URL", url)

    with pytest.raises(InputError) as caught:
        open_named("env:HISTORY_URL")

    assert "HISTORY_URL" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_url_on_the_command_line_is_refused(capsys):
    """Process lists are read by others."""
    assert main(["list", "--database", f"postgresql://user:{PASSWORD}@db/x"]) == 64
    assert PASSWORD not in capsys.readouterr().err


def test_a_database_file_is_its_owners(tmp_path):
    """Records may name what is not for everyone."""
    open_file(tmp_path / "new" / "history.db")

    assert (tmp_path / "new" / "history.db").stat().st_mode & 0o077 == 0


def test_commands_load_list_and_compare(tmp_path, capsys):
    """From directories to differences: a driver, a verdict, a figure."""
    database = ["--database", str(tmp_path / "history.db")]
    slow = made_run(
        1,
        lambda metric, card, repetition: 6.0 if card == UUIDS[2] and metric == "bandwidth.h2d" else 12.0,
        driver="390.12",
        more=[check("cuda.p2p", "all-cards", Verdict.FAILED)],
    )
    paths = [str(write(run, tmp_path / name)) for name, run in (("a", made_run()), ("b", slow))]

    codes = [main(["load", *paths, *database]), main(["list", *database]), main(["compare", *paths, *database])]

    output = capsys.readouterr().out
    assert codes == [0, 0, 0]
    assert "cloud-1-20261001T223000Z-0000  2026-10-01T22:30  accepted" in output
    assert "cloud-1-20261002T223000Z-0000  2026-10-02T22:30  rejected" in output
    assert "driver 384.183 → 390.12 on all-cards, one-card" in output
    assert "cuda.p2p [all-cards]: (not run) → failed" in output
    assert f"bandwidth.h2d of {UUIDS[2]}: 11.9 → 6 GB/s, worse by 49.6 %" in output


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path, capsys):
    """And two of them are refused with their names."""
    database = open_file(tmp_path / "history.db")
    load(database, made_run())
    load(database, made_run(1))
    option = ["--database", str(tmp_path / "history.db")]

    assert main(["compare", "cloud-1-20261001", "cloud-1", *option]) == 0
    assert main(["compare", "cloud-1-2026", "cloud-1", *option]) == 64
    assert "2 begin so" in capsys.readouterr().err
