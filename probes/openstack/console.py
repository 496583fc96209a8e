"""What an instance writes to its serial console."""

from __future__ import annotations

from typing import Any

from access.openstack_api import translated


def read(connection: Any, server_id: str, *, lines: int | None = None) -> str:
    """The console of an instance, or its last lines.

    Raises:
        ConnectError: the API does not show it, which says nothing about the instance.
        ProvisioningError: the API refuses: there is no such instance, or it has no console yet.
    """
    with translated(f"read the console of {server_id}", only_reads=True):
        console = connection.compute.get_server_console_output(server_id, length=lines)
    return str(console.get("output") if isinstance(console, dict) else console)
