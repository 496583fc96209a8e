"""Operations on one instance, each ended by the state that Nova promises for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openstack import exceptions as sdk

from access.errors import ProvisioningError
from access.openstack_api import translated
from access.waiting import wait_for

STATE_TIMEOUT_S = 600.0
POLL_S = 0.5
"""Each look at an instance asks Neutron as well; the first one comes after as long: nothing ends sooner."""


class InstanceRefused(ProvisioningError):
    """Nova put the instance into ERROR, or an operation on it failed; carries Nova's fault."""

    cause = "instance-refused"


def state_of(connection: Any, server_id: str) -> Any:
    """The instance as Nova has it now."""
    with translated(f"read the instance {server_id}"):
        return connection.compute.get_server(server_id)


def fault_of(server: Any) -> str:
    """Nova's reason for an instance in ERROR; "" when it gives none."""
    fault = server.fault or {}
    return str(fault.get("message", ""))


def wait_for_status(connection: Any, server_id: str, *wanted: str, timeout_s: float = STATE_TIMEOUT_S) -> Any:
    """The instance, once its status is one of `wanted` and no task runs any more.

    Raises:
        InstanceRefused: it is in ERROR instead.
        WaitTimeout: neither in time.
    """

    def look() -> Any:
        server = state_of(connection, server_id)
        if server.status == "ERROR" and not server.task_state and "ERROR" not in wanted:
            raise InstanceRefused(f"{server.name} is in ERROR: {fault_of(server)}")
        return server

    return wait_for(
        f"{server_id} to be {' or '.join(wanted)}",
        look,
        lambda server: server.status in wanted and not server.task_state,
        timeout_s=timeout_s,
        interval_s=POLL_S,
        first_after_s=POLL_S,
        describe=lambda server: f"{server.status}, task {server.task_state}",
    )


def wait_until_gone(connection: Any, server_id: str, *, timeout_s: float = STATE_TIMEOUT_S) -> None:
    """Until Nova has the instance no more.

    Raises:
        WaitTimeout: it is still there.
    """

    def status() -> str:
        with translated(f"look for the instance {server_id}"):
            try:
                return str(connection.compute.get_server(server_id).status)
            except sdk.NotFoundException:
                return "gone"

    wait_for(
        f"the deletion of {server_id}",
        status,
        lambda text: text == "gone",
        timeout_s=timeout_s,
        interval_s=POLL_S,
        first_after_s=POLL_S,
    )


def carry_out(connection: Any, server_id: str, what: str, act: Callable[[], Any], *wanted: str) -> Any:
    """Ask for an operation and wait for its end; returns the instance.

    Raises:
        ProvisioningError: the API refuses it.
        InstanceRefused: it failed.
    """
    with translated(f"{what} the instance {server_id}"):
        before = _last_action(connection, server_id)
        act()

    def look() -> Any:
        server = state_of(connection, server_id)
        if server.status not in wanted and not server.task_state:
            _raise_when_failed(connection, server, what, before)
        return server

    return wait_for(
        f"{what} of {server_id} to end as {' or '.join(wanted)}",
        look,
        lambda server: server.status in wanted and not server.task_state,
        timeout_s=STATE_TIMEOUT_S,
        interval_s=POLL_S,
        first_after_s=POLL_S,
        describe=lambda server: f"{server.status}, task {server.task_state}",
    )


def _last_action(connection: Any, server_id: str) -> Any | None:
    """The newest entry of the instance's own log of operations; None when it has none."""
    return next(iter(connection.compute.server_actions(server_id)), None)


def _raise_when_failed(connection: Any, server: Any, what: str, before: Any | None) -> None:
    """An operation that Nova gave up leaves the instance as it was: only the log of operations says so."""
    with translated(f"read what became of {what}"):
        action = _last_action(connection, server.id)
    fresh = action is not None and (before is None or action.request_id != before.request_id)
    if server.status == "ERROR" or (fresh and action is not None and action.message):
        reason = fault_of(server) or (action.message if action is not None else "")
        raise InstanceRefused(f"{what} of {server.name} failed, it is {server.status}: {reason}")
