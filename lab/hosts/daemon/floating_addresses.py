"""Addresses of instances, in place of Neutron's agents: opened and closed as Neutron's database says.

Floating IPs, and the ports' own addresses where the lab's machines can have them: a network on the loopback range is a
provider network, which is reached without a router.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

POLL_S = 0.25
ADDRESSES_QUERY = (
    "select f.floating_ip_address, p.device_id from floatingips f join ports p on p.id = f.fixed_port_id"
    " where f.fixed_port_id is not null"
    " union select a.ip_address, p.device_id from ipallocations a join ports p on p.id = a.port_id"
    " where a.ip_address like '127.%' and p.device_owner like 'compute:%'"
)
SSH_ALLOWED_QUERY = (
    "select count(*) from (select floating_ip_address as address, fixed_port_id as port_id from floatingips"
    " union select ip_address, port_id from ipallocations) f"
    " join securitygroupportbindings b on b.port_id = f.port_id"
    " join securitygrouprules r on r.security_group_id = b.security_group_id"
    " where f.address = ? and r.direction = 'ingress'"
    " and (r.protocol is null or (r.protocol in ('tcp', '6')"
    " and (r.port_range_min is null or (r.port_range_min <= 22 and r.port_range_max >= 22))))"
)


class FloatingAddresses:
    """The floating addresses that lead to a machine now, by Neutron's database `database`."""

    def __init__(self, database: Path, listen: Callable[[str], None], unlisten: Callable[[str], None]) -> None:
        self._database = database
        self._listen = listen
        self._unlisten = unlisten
        self._machines: dict[str, str] = {}  # replaced as a whole, never changed in place: threads read it

    def machine_at(self, address: str) -> str | None:
        """The machine with this floating address; None if there is none."""
        return self._machines.get(address)

    def allows_ssh(self, address: str) -> bool:
        """Whether a security group of the address's port lets TCP port 22 in."""
        with contextlib.closing(sqlite3.connect(self._database, timeout=5)) as connection:
            return bool(connection.execute(SSH_ALLOWED_QUERY, (address,)).fetchone()[0])

    def watch(self) -> None:
        """Follow the database for ever; returns never. `PRAGMA data_version` changes when someone else has written."""
        seen: int | None = None
        connection: sqlite3.Connection | None = None
        while True:
            time.sleep(POLL_S)
            try:
                connection = connection or self._connect()
                if connection is None:
                    continue
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != seen:
                    self.update(dict(connection.execute(ADDRESSES_QUERY).fetchall()))
                    seen = version
            except sqlite3.Error:
                connection = None

    def _connect(self) -> sqlite3.Connection | None:
        if not self._database.exists():
            return None
        return sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=5)

    def update(self, wanted: dict[str, str]) -> None:
        """Listen on exactly the wanted addresses, given with the name of the machine behind each ("" for none)."""
        for address in set(self._machines) - set(wanted):
            self._unlisten(address)
        self._machines = {address: machine for address, machine in wanted.items() if machine}
        for address in self._machines:
            with contextlib.suppress(OSError):
                self._listen(address)
