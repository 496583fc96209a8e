"""`discover` on real services: the file that it writes is one that a run accepts, and looking changes nothing."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from whole_lab import REPOSITORY, Run, WholeLab

from access.openstack_api import connect
from access.progress import Progress
from cloud_file.loading import load
from judging.records import Verdict
from provisioning.provision import provision


@pytest.fixture(scope="module")
def existing(lab: WholeLab) -> Iterator[WholeLab]:
    """The lab's cloud as somebody has it: deployed, with an image for cards, flavors, networks, and no instance."""
    reached = json.loads((lab.home / "default" / "connection.json").read_text())
    made = provision(load(lab.cloud_file).with_lab_connection(reached), Progress(), guests=False)
    assert not made.failures
    yield lab
    lab.accept("--cleanup")


def _logins(lab: WholeLab) -> None:
    """The clouds.yaml of a user: the administrator, with a wrong password, and somebody with the role `reader` only."""
    variables = json.loads((lab.home / "runs" / "credentials.json").read_text())["admin"]
    names = ("auth_url", "username", "password", "project_name", "user_domain_name", "project_domain_name")
    auth = {name: variables[f"OS_{name.upper()}"] for name in names if f"OS_{name.upper()}" in variables}
    kinds = {"ours": auth, "mistyped": auth | {"password": "wrong"}, "reader": auth | READER}
    clouds = lab.home / "clouds.yaml"
    content = {name: {"auth": kind, "region_name": "RegionOne"} for name, kind in kinds.items()}
    clouds.write_text(yaml.safe_dump({"clouds": content}))
    clouds.chmod(0o600)


READER = {"username": "looker", "password": "only-looks"}


def _make_reader(lab: WholeLab) -> None:
    connection = connect(json.loads((lab.home / "runs" / "credentials.json").read_text())["admin"])
    if connection.identity.find_user(READER["username"]) is None:
        project = connection.identity.find_project(connection.config.get_auth_args()["project_name"])
        user = connection.identity.create_user(name=READER["username"], password=READER["password"])
        connection.identity.assign_project_role_to_user(project, user, connection.identity.find_role("reader"))


def _inventory(lab: WholeLab, **more: str) -> Path:
    """An Ansible inventory of the lab's hosts; a compute has a name there that Nova does not know."""
    reached = json.loads((lab.home / "default" / "connection.json").read_text())
    hosts = {"rack-1-a" if name == "compute-0" else name: address for name, address in reached["hosts"].items()}
    file = lab.home / "hosts.ini"
    lines = [f"{name} ansible_host={address}" for name, address in (hosts | more).items() if name != "undercloud"]
    variables = {
        "ansible_user": "heat-admin",
        "ansible_port": reached["ssh_port"],
        "ansible_ssh_private_key_file": reached["ssh_key"],
    }
    lines += ["[all:vars]", *(f"{key}={value}" for key, value in variables.items())]
    file.write_text("\n".join(lines) + "\n")
    return file


def _discover(lab: WholeLab, os_cloud: str, inventory: Path, *more: str) -> tuple[Path, Run]:
    reached = json.loads((lab.home / "default" / "connection.json").read_text())
    file = lab.home / f"found-by-{os_cloud}.yaml"
    words = ["--os-cloud", os_cloud, "--inventory", str(inventory), "--known-hosts", reached["known_hosts"], *more]
    command = [sys.executable, "-m", "cloud_file", "discover", "found", "--to", str(file), "--force", *words]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=lab.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return file, Run(done.returncode, done.stdout, {})


VOLATILE = ("updated_at", "last_seen_up", "report_count", "heartbeat_timestamp", "generation", "last_active_at")
"""What services write by themselves to show that they live."""
REFUSALS = ("failed_auth_count", "failed_auth_at")
"""Keystone counts wrong passwords; how often it was tried is asked by itself."""


def _wrong_passwords(lab: WholeLab) -> int:
    """How often somebody tried one, by Keystone's count."""
    file = lab.home / "default" / "db" / "keystone.db"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
        return int(connection.execute("SELECT sum(failed_auth_count) FROM local_user").fetchone()[0] or 0)


def _databases(lab: WholeLab) -> dict[str, list[str]]:
    """All rows of all services' databases, by database and table."""
    found = {}
    for file in sorted((lab.home / "default" / "db").glob("*.db")):
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
            for table in tables:
                columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
                kept = ", ".join(f'"{column}"' for column in columns if column not in (*VOLATILE, *REFUSALS)) or "NULL"
                rows = connection.execute(f'SELECT {kept} FROM "{table}"')  # noqa: S608  names of the database itself
                found[f"{file.stem}.{table}"] = sorted(map(repr, rows))
    return found


def test_looking_changes_nothing_and_says_what_it_cannot_see(existing: WholeLab):
    """An administrator, a wrong password, a login without rights; names that differ, hosts that do not answer."""
    _make_reader(existing)
    _logins(existing)
    network = json.loads((existing.home / "default" / "connection.json").read_text())["network"]
    inventory = _inventory(existing, gone=f"{network}.0.250", spare=f"{network}.0.2")
    before = _databases(existing)

    found, seen = _discover(existing, "ours", inventory)
    _, refused = _discover(existing, "mistyped", inventory)
    _, restricted = _discover(existing, "reader", inventory)

    assert _databases(existing) == before
    assert _wrong_passwords(existing) == 1, "a second attempt would bring the account nearer to being locked"
    assert len(before) > 100
    assert sum(map(len, before.values())) > 100
    assert seen.exit_code == 0, seen.output
    assert 'name: "compute-[0:1]"' in found.read_text(), "the name is Nova's, whatever the inventory calls it"
    assert "spare" in seen.output
    assert "gone" in seen.output
    assert "the APIs were not seen" in refused.output
    assert "name: rack-1-a" in (existing.home / "found-by-mistyped.yaml").read_text()
    assert "lacks the right os_compute_api:os-hypervisors:list-detail" in restricted.output
    assert "the roles reader and not admin" in restricted.output


def test_the_file_that_is_written_is_accepted_without_an_edit(existing: WholeLab):
    """Every layer but the undercloud is checked, with instances and CUDA; what others made stays."""
    _logins(existing)
    port = json.loads((existing.home / "default" / "connection.json").read_text())["ssh_port"]
    answers = ["--set", f"image.ssh_port={port}", "--set", f"runs_directory={existing.home / 'found-runs'}"]
    file, found = _discover(existing, "ours", _inventory(existing), *answers)
    assert found.exit_code == 0, found.output

    run = existing.accept(cloud=file)

    assert run.exit_code == 0, run.output
    assert set(run.verdicts.values()) == {Verdict.PASSED}
    assert {"host.iommu.cmdline", "control_plane.alias.compute", "cuda.bandwidth"} <= {
        check for check, _ in run.verdicts
    }
    assert not (existing.home / "found-runs" / "ledger.jsonl").exists()
