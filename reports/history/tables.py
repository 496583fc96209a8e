"""The tables, as the newest version of the schema has them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

METADATA = MetaData()
ID = 200

RUNS = Table(
    "runs",
    METADATA,
    Column("id", String(ID), primary_key=True),
    Column("cloud", String(ID), nullable=False, index=True),
    Column("simulated", Boolean, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("started", String(40), nullable=False),  # ISO 8601, UTC: SQLite has no type for it
    Column("ended", String(40), nullable=False),  # "" for a run that was cut off
    Column("outcome", String(40), nullable=False),
    Column("exit_code", Integer),
    Column("digest", String(64), nullable=False),  # of all that the database keeps of the run
)

SURROUNDINGS = Table(
    "surroundings",
    METADATA,
    Column("run_id", String(ID), ForeignKey("runs.id"), nullable=False),
    Column("place", String(ID), nullable=False),  # host or guest; "" for the cloud and the suite
    Column("name", String(ID), nullable=False),  # kernel, driver, bios_version, release, suite …
    Column("value", Text, nullable=False),
    Index("surroundings_of_run", "run_id"),
)

CHECKS = Table(
    "checks",
    METADATA,
    Column("run_id", String(ID), ForeignKey("runs.id"), nullable=False),
    Column("check_id", String(ID), nullable=False),
    Column("place", String(ID), nullable=False),
    Column("verdict", String(40), nullable=False),
    Column("cause", Text, nullable=False),
    Index("checks_of_run", "run_id"),
)

FIGURES = Table(
    "figures",
    METADATA,
    Column("run_id", String(ID), ForeignKey("runs.id"), nullable=False),
    Column("metric", String(ID), nullable=False),
    Column("unit", String(40), nullable=False),
    Column("direction", String(10), nullable=False),
    Column("host", String(ID), nullable=False),
    Column("device", String(ID), nullable=False),
    Column("card", String(ID), nullable=False),  # UUID, or both of a pair; "" where not known
    Column("median", Float, nullable=False),
    Column("lowest", Float, nullable=False),
    Column("highest", Float, nullable=False),
    Column("repetitions", Integer, nullable=False),
    Index("figures_of_run", "run_id"),
)

SCHEMA = Table("acceptance_schema", METADATA, Column("version", Integer, nullable=False))
