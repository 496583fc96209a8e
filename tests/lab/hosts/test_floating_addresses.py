"""Floating addresses follow Neutron's database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lab.hosts.daemon.floating_addresses import FloatingAddresses


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The tables that the queries read, with one security group rule for the port of 127.9.200.10."""
    file = tmp_path / "neutron.db"
    with sqlite3.connect(file) as connection:
        connection.executescript(
            "create table floatingips (floating_ip_address, fixed_port_id);"
            "create table ipallocations (ip_address, port_id);"
            "create table securitygroupportbindings (port_id, security_group_id);"
            "create table securitygrouprules (security_group_id, direction, protocol, port_range_min, port_range_max);"
            "insert into floatingips values ('127.9.200.10', 'port-1'), ('127.9.200.11', 'port-2');"
            "insert into securitygroupportbindings values ('port-1', 'group-1'), ('port-2', 'group-2');"
            "insert into securitygrouprules values ('group-1', 'ingress', 'tcp', 20, 30);"
            "insert into securitygrouprules values ('group-2', 'ingress', 'tcp', 80, 80), "
            "('group-2', 'egress', null, null, null);"
        )
    return file


def test_only_addresses_with_a_machine_are_listened_on(database: Path) -> None:
    """An address without a machine is not opened, and one that is no longer wanted is closed."""
    opened: list[str] = []
    closed: list[str] = []
    floating = FloatingAddresses(database, opened.append, closed.append)

    floating.update({"127.9.200.10": "guest-1", "127.9.200.11": ""})
    found = [floating.machine_at(address) for address in ("127.9.200.10", "127.9.200.11")]
    floating.update({})

    assert found == ["guest-1", None]
    assert (opened, closed) == (["127.9.200.10"], ["127.9.200.10"])
    assert floating.machine_at("127.9.200.10") is None


def test_ssh_is_open_if_an_incoming_rule_covers_port_22(database: Path) -> None:
    """A rule for a range with port 22 lets SSH in; one for another port, or an outgoing one, does not."""
    floating = FloatingAddresses(database, lambda address: None, lambda address: None)

    assert floating.allows_ssh("127.9.200.10")
    assert not floating.allows_ssh("127.9.200.11")
