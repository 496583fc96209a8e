"""What is left in a lab, read from the databases of its services: no client of ours is asked."""

from __future__ import annotations

import sqlite3
from pathlib import Path

QUESTIONS = {
    "instance": ("nova_cell1", "SELECT display_name FROM instances WHERE deleted = 0 AND display_name LIKE ?"),
    "flavor": ("nova_api", "SELECT name FROM flavors WHERE name LIKE ?"),
    "key pair": ("nova_api", "SELECT name FROM key_pairs WHERE name LIKE ?"),
    "stack": ("heat", "SELECT name FROM stack WHERE deleted_at IS NULL AND name LIKE ?"),
    "image": ("glance", "SELECT name FROM images WHERE deleted = 0 AND name LIKE ?"),
    "project": ("keystone", "SELECT name FROM project WHERE name LIKE ?"),
    "user": ("keystone", "SELECT name FROM local_user WHERE name LIKE ?"),
    "network": ("neutron", "SELECT name FROM networks WHERE name LIKE ?"),
    "router": ("neutron", "SELECT name FROM routers WHERE name LIKE ?"),
    "port": ("neutron", "SELECT name FROM ports WHERE name LIKE ?"),
}
"""Kind to database and query for what bears the cloud file's prefix."""
CLAIMS = (
    "SELECT address, status, instance_uuid FROM pci_devices WHERE deleted = 0 AND status IN ('claimed', 'allocated')"
)
ALLOCATIONS = "SELECT consumer_id, used FROM allocations"


def left(state: Path, prefix: str) -> list[str]:
    """Everything that is left of a run, in words; empty when the lab has nothing. `state` is the lab's directory."""
    found = [
        f"{kind} {row[0]}"
        for kind, (database, query) in QUESTIONS.items()
        for row in _rows(state, database, query, f"{prefix}-%")
    ]
    found += [f"claim on {row[0]}: {row[1]} by {row[2]}" for row in _rows(state, "nova_cell1", CLAIMS)]
    return found + [f"allocation of {row[0]}" for row in _rows(state, "placement", ALLOCATIONS)]


def _rows(state: Path, database: str, query: str, *arguments: str) -> list[tuple[object, ...]]:
    """What a query gives; a service that was never deployed has no tables."""
    file = state / "db" / f"{database}.db"
    if not file.exists():
        return []
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute(query, arguments).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    finally:
        connection.close()
