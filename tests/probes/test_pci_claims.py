"""Claims by nova-conductor's own connection: real SQLAlchemy on a real database, and nothing secret in the answer."""

from __future__ import annotations

import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from probes.nova_process import NovaProcess
from probes.openstack import pci_claims

PYTHON = Path(__file__).parents[2] / ".lab" / "cache" / "openstack" / "bin" / "python"
TABLES = """
create table compute_nodes (id integer, hypervisor_hostname text, deleted integer);
create table pci_devices (compute_node_id integer, address text, status text, instance_uuid text, vendor_id text,
    product_id text, numa_node integer, dev_type text, deleted integer);
insert into compute_nodes values (1, 'compute-0.example.org', 0);
insert into pci_devices values (1, '0000:04:00.0', 'allocated', 'an-instance', '10de', '2331', 0, 'type-PF', 0),
    (1, '0000:84:00.0', 'available', null, '10de', '2331', null, 'type-PF', 0),
    (1, '0000:85:00.0', 'deleted', null, '10de', 'x', 0, 'type-PF', 7);
"""


def _run(folder: Path, connection: str, api: str = "") -> subprocess.CompletedProcess[str]:
    conf = folder / "nova.conf"
    apis = f"[api_database]\nconnection = {api}\n" if api else ""
    conf.write_text(f"[database]\nconnection = {connection}\n{apis}", encoding="utf-8")
    head = "\t".join(pci_claims.COLUMNS)
    command = [str(PYTHON), "-c", pci_claims.SCRIPT, pci_claims.STATEMENT, head, "--config-file", str(conf)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not PYTHON.exists(), reason="the lab's environment is made by its first start")
def test_conductors_own_connection_shows_the_claims(tmp_path: Path):
    """Deleted rows are left out, what is NULL is absent."""
    with sqlite3.connect(tmp_path / "nova.db") as database:
        database.executescript(TABLES)
    done = _run(tmp_path, f"sqlite:///{tmp_path}/nova.db")
    taken, free = pci_claims.parse(done.stdout)

    assert (taken.host, taken.address, taken.instance_id, taken.is_taken) == (
        "compute-0",
        "0000:04:00.0",
        "an-instance",
        True,
    )
    assert (free.instance_id, free.numa_node, free.is_taken) == (None, None, False)


@pytest.mark.skipif(not PYTHON.exists(), reason="the lab's environment is made by its first start")
def test_claims_of_every_cell_are_seen(tmp_path: Path):
    """A conductor above cells has cell0 for its own database, without a device; what is mapped may be a template."""
    for name, host in (("cell0", ""), ("cell1", "compute-0"), ("cell2", "compute-9")):
        with sqlite3.connect(tmp_path / f"{name}.db") as database:
            database.executescript(TABLES.replace("compute-0", host) if host else TABLES.split("insert")[0])
    with sqlite3.connect(tmp_path / "api.db") as database:
        database.execute("create table cell_mappings (database_connection text)")
        mapped = [(f"sqlite:///{tmp_path}/cell1.db",), ("{scheme}://" + f"/{tmp_path}/cell2.db",)]
        database.executemany("insert into cell_mappings values (?)", [*mapped, (f"sqlite:///{tmp_path}/cell0.db",)])

    done = _run(tmp_path, f"sqlite:///{tmp_path}/cell0.db", f"sqlite:///{tmp_path}/api.db")

    assert sorted(claim.host for claim in pci_claims.parse(done.stdout)) == ["compute-0"] * 2 + ["compute-9"] * 2


@pytest.mark.skipif(not PYTHON.exists(), reason="the lab's environment is made by its first start")
@pytest.mark.parametrize(
    "connection",
    [
        "mysql+pymysql://nova:xyzzy@127.0.0.1:1/nova",
        "sqlite:////nowhere/xyzzy.db",
        "nonsense:xyzzy",
        "mysql://u:xyzzy@h",
    ],
)
def test_a_failing_connection_does_not_show_its_url(connection: str, tmp_path: Path):
    """Drivers quote what they were given: only the kind of the error is told."""
    done = _run(tmp_path, connection)

    assert done.returncode != 0
    assert "xyzzy" not in done.stdout + done.stderr
    assert done.stderr.startswith("the databases of nova-conductor: ")


@pytest.mark.parametrize(
    ("arguments", "python"),
    [
        (
            ("/var/lib/kolla/venv/bin/python3", "/var/lib/kolla/venv/bin/nova-conductor"),
            "/var/lib/kolla/venv/bin/python3",
        ),
        (("/openstack/venvs/nova-31.0.0/bin/python3.12", "-s", "x"), "/openstack/venvs/nova-31.0.0/bin/python3.12"),
        (("/usr/bin/python3", "/usr/bin/nova-conductor"), "/usr/bin/python3"),
        (("nova-conductor: master process [/usr/bin/nova-conductor]",), "/usr/bin/python3"),
        (
            ("nova-conductor: master process [/var/lib/kolla/venv/bin/nova-conductor --config-file /etc/nova/x.conf]",),
            "/var/lib/kolla/venv/bin/python3",
        ),
        (("nova-conductor: master process [nova-conductor]",), "python3"),
    ],
)
def test_the_interpreter_is_the_service_s_own(arguments: tuple[str, ...], python: str):
    """Only there are oslo.config and the database's driver installed."""
    process = NovaProcess(1, datetime.fromtimestamp(0, UTC), arguments)

    assert pci_claims.python_of(process) == python
