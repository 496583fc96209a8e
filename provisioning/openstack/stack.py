"""Heat stacks: create and wait, tell the failing resource with its reason and Nova's fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from openstack import exceptions as sdk

from access.errors import ProvisioningError, StackError
from access.openstack_api import translated
from access.progress import Progress
from access.waiting import wait_for
from provisioning.ledger import Ledger

NAME_TIMEOUT_S = 60.0
TEMPLATES = Path(__file__).parent / "heat"


def load_template(name: str) -> dict[str, Any]:
    """A template of ours."""
    template = yaml.safe_load((TEMPLATES / name).read_text(encoding="utf-8"))
    template["heat_template_version"] = str(template["heat_template_version"])
    return dict(template)


def find(connection: Any, name: str) -> Any | None:
    """The stack of that name; None when there is none."""
    with translated(f"find the stack {name}"):
        return connection.orchestration.find_stack(name, ignore_missing=True)


def make_stack(
    connection: Any,
    ledger: Ledger,
    progress: Progress,
    *,
    name: str,
    template: str,
    parameters: dict[str, Any],
    timeout_s: float,
    owner: str,
) -> dict[str, Any]:
    """Outputs of the stack; it is created unless it is complete already.

    Raises:
        StackError: it failed; names the resource and the reason below it.
    """
    found = find(connection, name)
    if found is not None and found.status == "CREATE_COMPLETE":
        return outputs(connection, found.id)
    if found is not None:
        delete_stack(connection, found.id, timeout_s=timeout_s)
    ledger.intend("stack", name, owner=owner)
    made = _create(
        connection,
        name,
        template=load_template(template),
        parameters=parameters,
        timeout_mins=max(1, int(timeout_s // 60)),
        is_rollback_disabled=True,
    )
    ledger.made("stack", name, id=made.id, owner=owner)
    stack = wait_for(
        f"the stack {name}",
        lambda: _seen(connection, made.id),
        lambda stack: not stack.status.endswith("IN_PROGRESS"),
        timeout_s=timeout_s + 60,
        interval_s=0.3,
        describe=lambda stack: stack.status,
        on_change=lambda text: progress.detail(f"{name}: {text}"),
    )
    if stack.status != "CREATE_COMPLETE":
        raise StackError(failure(connection, stack), remedy=f"openstack stack failures list {name}")
    return outputs(connection, made.id)


def _seen(connection: Any, stack_id: str) -> Any:
    with translated(f"read the stack {stack_id}"):
        return connection.orchestration.get_stack(stack_id)


def _create(connection: Any, name: str, **arguments: Any) -> Any:
    """Create a stack once its name is free: Heat refuses it (409) a moment longer than it shows the deleted stack."""

    def attempt() -> Any | None:
        try:
            with translated(f"create the stack {name}"):
                return connection.orchestration.create_stack(name=name, **arguments)
        except ProvisioningError as error:
            if isinstance(error.__cause__, sdk.ConflictException):
                return None
            raise

    return wait_for(
        f"the name {name} of a stack that was deleted",
        attempt,
        lambda made: made is not None,
        timeout_s=NAME_TIMEOUT_S,
        interval_s=0.3,
    )


def outputs(connection: Any, stack_id: str) -> dict[str, Any]:
    """Outputs of a stack by key."""
    stack = _seen(connection, stack_id)
    return {output["output_key"]: output.get("output_value") for output in stack.outputs or []}


def failure(connection: Any, stack: Any) -> str:
    """Why a stack failed: each failed resource with its reason, and Nova's fault of a server."""
    lines = [f"the stack {stack.name} is {stack.status}: {stack.status_reason}"]
    for resource in connection.orchestration.resources(stack.id):
        if resource.status.endswith("FAILED"):
            lines.append(f"  {resource.name} ({resource.resource_type}): {resource.status_reason}")
            if resource.resource_type == "OS::Nova::Server" and resource.physical_resource_id:
                lines += _fault(connection, resource.physical_resource_id)
    return "\n".join(lines)


def _fault(connection: Any, server_id: str) -> list[str]:
    try:
        fault = connection.compute.get_server(server_id).fault
    except sdk.SDKException:
        return []
    return [f"    Nova's fault: {fault.get('message')}"] if fault else []


def delete_stack(connection: Any, stack_id: str, *, timeout_s: float) -> None:
    """Delete a stack and wait until Heat has it no more."""
    with translated(f"delete the stack {stack_id}"):
        connection.orchestration.delete_stack(stack_id, ignore_missing=True)

    def status() -> str:
        try:
            return str(connection.orchestration.get_stack(stack_id).status)
        except sdk.NotFoundException:
            return "DELETE_COMPLETE"

    last = wait_for(
        f"the deletion of {stack_id}",
        status,
        lambda text: text in ("DELETE_COMPLETE", "DELETE_FAILED"),
        timeout_s=timeout_s,
        interval_s=0.3,
    )
    if last == "DELETE_FAILED":
        raise StackError(
            f"the stack {stack_id} cannot be deleted: {connection.orchestration.get_stack(stack_id).status_reason}"
        )
