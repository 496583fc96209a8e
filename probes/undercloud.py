"""Nodes, stacks and artifacts of an undercloud, from its own commands."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from access.errors import ParseError
from access.host import Host, output_of, succeeded
from probes.reading import bounded

STACKRC = ". ~/stackrc && "
TIMEOUT_S = 120.0
NO_CONTAINER = re.compile(r"Container .{0,80}not found|404 Not Found")
"""swift's words for a container that does not exist; any other failure means that it could not look."""


def parse_rows(text: str) -> list[dict[str, Any]]:
    """Rows of `-f json`; an empty answer has none.

    Raises:
        ParseError: no list of objects.
    """
    try:
        data = json.loads(bounded("openstack", text).strip() or "[]")
    except (ValueError, RecursionError) as error:
        raise ParseError("openstack", f"no JSON: {str(error)[:120]}", line=text[:200]) from error
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise ParseError("openstack", "not a list of objects", line=text[:200])
    return data


def _rows(host: Host, command: str) -> list[dict[str, Any]]:
    return parse_rows(output_of(host, f"{STACKRC}{command} -f json", timeout_s=TIMEOUT_S).stdout)


def node_states(host: Host) -> dict[str, str]:
    """Provisioning state of every node in Ironic, by name; of one that is set aside "STATE, in maintenance".

    A node that is deployed already stays "active": Ironic also sets maintenance when a BMC does not answer for a while.
    """
    return {str(row["Name"]): _state(row) for row in _rows(host, "openstack baremetal node list")}


def _state(row: dict[str, Any]) -> str:
    state = str(row["Provisioning State"])
    is_set_aside = str(row.get("Maintenance")) == "True" and state != "active"
    return f"{state}, in maintenance" if is_set_aside else state


def stack_status(host: Host, name: str) -> str | None:
    """Status of a stack, e.g. UPDATE_COMPLETE; None if there is none of that name."""
    found = [str(row["Stack Status"]) for row in _rows(host, "openstack stack list") if row.get("Stack Name") == name]
    return found[0] if found else None


def artifacts(host: Host) -> tuple[str, ...]:
    """Objects in the container that deploy artifacts are uploaded to; none if there is no container.

    Raises:
        CommandError: swift could not look.
    """
    answer = host.run(f"{STACKRC}swift list overcloud-artifacts", timeout_s=TIMEOUT_S)
    if answer.exit_code != 0 and NO_CONTAINER.search(answer.stderr):
        return ()
    return tuple(succeeded(answer).stdout.split())


def files_in(host: Host, folder: str) -> tuple[str, ...]:
    """Names in a folder, directories with a slash at their end; none if it is not there."""
    return tuple(output_of(host, f"ls -p {shlex.quote(folder)} 2>/dev/null || true").stdout.split())
