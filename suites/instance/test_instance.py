"""The instances: complete, placed, reachable, and not ended in a panic."""

from __future__ import annotations

from typing import Any

import pytest

from access.errors import Blocked
from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from judging.configuration import Configuration
from judging.instance_states import NO_HOST, cause_of, remedy_of
from judging.notes import Notes
from judging.room import lines
from judging.verdicts import require
from probes.openstack import guest_panic, nova
from provisioning.environment import Environment, Guest
from provisioning.host_rooms import HostRooms, request_of
from provisioning.hosts import reached

HEAT = "https://docs.openstack.org/heat/latest/template_guide/openstack.html"
NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
CONSOLE = "https://docs.openstack.org/nova/latest/user/server-concepts.html"


@pytest.mark.check(
    "instance.stack.complete",
    rests_on=(
        "instance.server.active",
        "instance.console.*",
        "instance.packages",
        "instance.driver.*",
        "cuda.device_query",
    ),
    source=HEAT,
    api=True,
)
def test_the_stack_is_complete(
    made_guest: Guest, declared_guest: DeclaredGuest, environment: Environment, admin: Any
) -> None:
    """The tenant's stack is complete: its wait condition was signalled when CUDA was really there."""
    problem = made_guest.failure or "; ".join(environment.failures.values())

    require(not problem, "stack-failed", problem)
    require(made_guest.server_id, "stack-without-server", "it has no instance")


@pytest.mark.check(
    "instance.server.active",
    rests_on=(
        "host.*",
        "control_plane.alias.api",
        "control_plane.device_spec.*",
        "control_plane.filters.*",
        "control_plane.config.*",
        "control_plane.compute.up",
        "image.available",
        "flavor.*",
        "undercloud.*",
        "control_plane.options.*",
        "control_plane.placement.*",
        "control_plane.container.*",
        "control_plane.capacity.*",
        "control_plane.offers.*",
        "control_plane.nova_conf.*",
        "tenant.quota",
        "tenant.roles",
    ),
    source=NOVA_PCI,
    api=True,
)
def test_the_instance_is_active_on_a_gpu_host(
    made_guest: Guest,
    declared_guest: DeclaredGuest,
    cloud: Cloud,
    admin: Any,
    environment: Environment,
    host_rooms: HostRooms,
    scheduler_view: Configuration | None,
) -> None:
    """Nova has the instance ACTIVE on a host that is declared to have cards."""
    failure = made_guest.failure or "it was not made"
    require(
        made_guest.server_id,
        "no-instance",
        failure,
        remedy=remedy_of(failure) or "openstack stack failures list STACK; the words above are Nova's or Heat's own",
    )
    found = nova.server(admin, str(made_guest.server_id))
    gpu_hosts = [host.name for host in cloud.computes if host.gpus]

    fault = found.fault or ""
    tried = host_rooms.errors_about(str(made_guest.server_id)) if found.status == "ERROR" else ""
    speaks = ""
    if NO_HOST.search(fault):
        request = request_of(cloud, admin, environment, declared_guest.flavor, scheduler_view)
        speaks = lines(host_rooms.read(), request)
    state = f"{found.name} is {found.status}" + (f", {found.task}" if found.task else "") + f": {fault}"
    require(
        found.status == "ACTIVE",
        cause_of(found.status, fault, tried=tried),
        "\n".join(part for part in (state, tried, speaks) if part),
        instance=found.name,
        remedy=remedy_of(tried)
        or remedy_of(fault)
        or "openstack server event list INSTANCE, and nova-compute.log of its host",
    )
    require(
        (found.host or "").split(".")[0] in gpu_hosts,
        "instance-on-a-host-without-cards",
        f"{found.name} runs on {found.host}, which is declared without GPUs",
    )


@pytest.mark.check(
    "instance.server.reachable",
    rests_on=(
        "instance.server.active",
        "instance.console.no_panic",
        "host.memory.*",
        "host.vfio.*",
        "host.gpu.answers",
    ),
    source=HEAT,
)
def test_the_instance_answers(guest: Host, declared_guest: DeclaredGuest) -> None:
    """The instance takes a login at its floating IP with its key."""
    reason = reached(guest)

    require(
        not reason,
        "instance-unreachable",
        reason,
    )


@pytest.mark.check(
    "instance.console.no_panic",
    rests_on=(  # a console is asked of the instance's nova-compute
        "instance.server.active",
        "control_plane.compute.up",
        "control_plane.config.compute_in_effect",
        "control_plane.nova_conf.compute",
        "control_plane.device_spec.valid",
    ),
    source=CONSOLE,
    api=True,
)
def test_the_guest_did_not_end_in_a_panic(
    made_guest: Guest, declared_guest: DeclaredGuest, admin: Any, notes: Notes
) -> None:
    """ACTIVE says that QEMU runs; the console says how the guest is."""
    if not made_guest.server_id or nova.server(admin, made_guest.server_id).status != "ACTIVE":
        raise Blocked(f"instance.server.active: {made_guest.failure or 'it is not ACTIVE'}, so it has no console")
    found = guest_panic.read(admin, made_guest.server_id)
    notes.found = found.line if found else "no panic on the console"

    require(
        found is None or not found.is_memory,
        "guest-out-of-memory",
        found.line if found else "",
    )
    require(found is None, "guest-panicked", found.line if found else "")
