"""The instances: complete, placed, with exactly their cards and a driver that took them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from recorder import Notes

from access.errors import Blocked, NotVerified, ToolFailure
from access.host import Host
from access.testinfra_backend import inspected
from cloud_file.cloud_file import Cloud, DeclaredGuest
from judging.causes import rejected
from judging.verdicts import require
from probes import cuda_log, kernel_log, kernel_release, lsmod, lspci, nvidia_module
from probes.nvidia_smi import failures, query
from probes.openstack import guest_panic, nova
from probes.references import NVIDIA_VENDOR_ID, gpu_models
from provisioning.environment import Environment, Guest
from provisioning.hosts import reached

HEAT = "https://docs.openstack.org/heat/latest/template_guide/openstack.html"
NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
WHY_NO_MODULE = tuple(
    (cause, re.compile(pattern))
    for cause, pattern in (
        (
            "repository-key-refused",
            r"NO_PUBKEY|GPG key retrieval failed|GPG keys? .*not correct|Public key for .* is not installed",
        ),
        (
            "secure-boot-refuses-the-module",
            r"Required key not available|unsigned module loading|Key was rejected by service",
        ),
        ("open-module-on-a-card-without-gsp", r"GPU System Processor|not supported by open"),
        ("branch-without-this-architecture", r"Legacy drivers|will ignore"),
        ("driver-of-another-kind", r"NVIDIA \S+ driver release|not supported by the"),
    )
)
"""What kernel and package manager say when the module does not come, most telling first."""
OF_THE_LIBRARY = re.compile(r"API mismatch|this kernel module|driver components|components have the same version")
"""The module's words about a library of another version: instance.driver.tools tells of it."""
NO_ROOM = re.compile(r"BAR\d? is 0M|PCI I/O region assigned to your NVIDIA device is invalid")
SMI = "https://docs.nvidia.com/deploy/nvidia-smi/"
ECC = "https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/"
CONSOLE = "https://docs.openstack.org/nova/latest/user/server-concepts.html"
SMI_CAUSES = {"version-mismatch": "driver-library-mismatch"}
NVIDIA = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"


def _cards(cloud: Cloud, guest: DeclaredGuest) -> Counter[str]:
    """Expected cards by product id."""
    cards: Counter[str] = Counter()
    for expected in cloud.gpus_of(guest.flavor):
        cards[cloud.gpu(expected.model).product_id] += expected.count
    return cards


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
        "control_plane.nova_conf.*",
        "tenant.quota",
        "tenant.roles",
    ),
    source=NOVA_PCI,
    api=True,
)
def test_the_instance_is_active_on_a_gpu_host(
    made_guest: Guest, declared_guest: DeclaredGuest, cloud: Cloud, admin: Any
) -> None:
    """Nova has the instance ACTIVE on a host that is declared to have cards."""
    require(
        made_guest.server_id,
        "no-instance",
        made_guest.failure or "it was not made",
    )
    found = nova.server(admin, str(made_guest.server_id))
    gpu_hosts = [host.name for host in cloud.computes if host.gpus]

    require(
        found.status == "ACTIVE",
        "no-valid-host" if "No valid host" in str(found.fault) else "instance-not-active",
        f"{found.name} is {found.status}: {found.fault}",
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


@pytest.mark.check("instance.packages", rests_on=("instance.server.reachable",), source=NVIDIA)
def test_the_image_brought_what_the_driver_is_built_with(guest: Host, declared_guest: DeclaredGuest) -> None:
    """kernel-devel of exactly the running kernel, and gcc: without them no module is built."""
    machine = inspected(guest)
    kernel = kernel_release.read(guest)
    headers = f"kernel-devel-{kernel}" if machine.exists("rpm") else f"linux-headers-{kernel}"

    require(
        machine.package(headers).is_installed,
        "kernel-devel-of-another-kernel",
        f"{headers} is not installed, but the running kernel is {kernel}",
    )
    require(
        machine.package("gcc").is_installed,
        "no-compiler",
        "gcc is not installed",
    )


@pytest.mark.check("instance.gpu.exact", rests_on=("instance.server.reachable",), source=NOVA_PCI)
def test_the_instance_has_exactly_the_requested_cards(guest: Host, declared_guest: DeclaredGuest, cloud: Cloud) -> None:
    """lspci shows as many cards as the flavor asks for (or as are declared of a host), not fewer and not more."""
    found = Counter(device.product_id for device in lspci.read(guest) if device.is_nvidia_gpu)
    wanted = _cards(cloud, declared_guest)

    require(
        found == wanted,
        "other-cards-than-requested" if cloud.has_openstack else "other-cards-than-requested/machine",
        f"lspci shows {_told(found)}, {'the flavor asks for' if cloud.has_openstack else 'declared are'} "
        f"{_told(wanted)}",
    )


def _told(cards: Counter[str]) -> str:
    """E.g. "2x P100-PCIE-16GB [10de:15f8]"."""
    told = [f"{count}x {_name_of(key)} [{NVIDIA_VENDOR_ID}:{key}]" for key, count in sorted(cards.items())]
    return ", ".join(told) or "no card of NVIDIA's"


def _name_of(product_id: str) -> str:
    """The models of that id: A2 and A16 share one."""
    return " or ".join(model.model for model in gpu_models().values() if product_id in model.product_ids) or "a card"


@pytest.mark.check("instance.driver.loaded", rests_on=("instance.gpu.exact", "instance.packages"), source=NVIDIA)
def test_the_nvidia_modules_are_loaded_and_nouveau_is_not(guest: Host, declared_guest: DeclaredGuest) -> None:
    """nvidia is loaded and used by its own modules; nouveau would hold the cards."""
    modules = lsmod.read(guest)
    log = cuda_log.read(guest)

    require(
        "nouveau" not in modules,
        "nouveau-loaded",
        "nouveau is loaded and holds the cards",
        file="/etc/modprobe.d",
    )
    for cause, pattern in WHY_NO_MODULE:
        told = [line.strip() for line in log if pattern.search(line)]
        require("nvidia" in modules or not told, cause, "; ".join(told[-4:])[:800])
    require(
        "nvidia" in modules,
        "module-not-loaded",
        "the nvidia module is not loaded",
    )
    is_used = modules["nvidia"].used_by if modules["nvidia"].tells_users else "nvidia_uvm" in modules
    require(is_used, "module-unused", "nothing uses the nvidia module")


@pytest.mark.check("instance.driver.fits", rests_on=("instance.gpu.exact", "instance.driver.loaded"), source=NVIDIA)
def test_the_driver_supports_the_cards(guest: Host, declared_guest: DeclaredGuest, cloud: Cloud) -> None:
    """Branch and flavour of the loaded module are ones that still take this architecture."""
    module = nvidia_module.read(guest)

    for expected in cloud.gpus_of(declared_guest.flavor):
        model = gpu_models().get(expected.model)
        if model is None:
            raise NotVerified(f"nothing is known of {expected.model}: add it to probes/references/models")
        require(
            module.flavour in model.kernel_modules,
            "module-flavour-without-this-architecture",
            f"the {module.flavour} module does not take {model.architecture}",
            module=model.kernel_modules[0],
        )
        require(
            model.first_driver_branch is None or module.branch >= model.first_driver_branch,
            "branch-before-this-model",
            f"driver {module.version} is older than {model.name}",
            branch=model.first_driver_branch,
        )
        require(
            model.last_driver_branch is None or module.branch <= model.last_driver_branch,
            "branch-without-this-architecture/known",
            f"driver {module.version} has left {model.architecture} out",
            branch=model.last_driver_branch,
        )


@pytest.mark.check(
    "instance.driver.no_errors",
    rests_on=("instance.driver.loaded",),
    source="https://docs.nvidia.com/deploy/xid-errors/",
)
def test_the_kernel_reports_no_gpu_error(guest: Host, declared_guest: DeclaredGuest) -> None:
    """dmesg has no Xid that says something against a card, and no card that the driver refused."""
    found = kernel_log.read(guest)

    serious = [f"Xid {xid.number} at {xid.address}: {xid.detail}" for xid in found.xids if not xid.is_harmless]
    require(
        not serious,
        "xid",
        "; ".join(serious)[:1000],
    )
    fallen = [item.line for item in found.fallen_off]
    require(
        not fallen,
        "card-fell-off-the-bus",
        "; ".join(fallen)[:1000],
    )
    no_room = [line for line in found.probe_errors if NO_ROOM.search(line)]
    require(
        not no_room,
        "no-room-for-a-bar",
        "; ".join(no_room)[:1000],
    )
    complaints = [line for line in found.probe_errors if not OF_THE_LIBRARY.search(line)]
    require(
        not complaints,
        "driver-complains",
        "; ".join(complaints)[:1000],
    )


@pytest.mark.check(
    "instance.driver.tools", rests_on=("instance.driver.loaded", "instance.driver.no_errors"), source=SMI
)
def test_nvidia_smi_answers(guest: Host, declared_guest: DeclaredGuest) -> None:
    """nvidia-smi talks to the driver: its exit code says nothing, so what it prints is read."""
    failure = failures.read(guest)
    cause = SMI_CAUSES.get(failure.kind, f"nvidia-smi-{failure.kind}") if failure else ""

    require(failure is None, cause, failure.line if failure else "", remedy=failure.remedy if failure else "")


def _cards_told(guest: Host) -> tuple[query.Gpu, ...]:
    """What the driver tells of every card; a value that it cannot read is a finding."""
    try:
        return query.read(guest).gpus
    except ToolFailure as failure:
        raise rejected(
            "sensors-do-not-answer",
            str(failure),
        ) from failure


@pytest.mark.check("instance.gpu.health", rests_on=("instance.driver.tools", "instance.driver.no_errors"), source=ECC)
def test_every_card_is_sound(guest: Host, declared_guest: DeclaredGuest, cloud: Cloud) -> None:
    """Sensors answer, error correction is on, no uncorrected error was counted and no repair of memory waits."""
    cards = _cards_told(guest)
    wants_ecc = all(cloud.gpu(expected.model).ecc for expected in cloud.gpus_of(declared_guest.flavor))

    failed = [card.address for card in cards if card.has_remapping_failed]
    pending = [card.address for card in cards if card.is_retirement_pending]
    errors = {card.address: counts for card in cards if (counts := _counted(card))}
    unprotected = [card.address for card in cards if card.is_ecc_on is False]
    require(
        not failed,
        "memory-beyond-repair",
        f"a row of {', '.join(failed)} could not be replaced",
    )
    require(
        not pending,
        "memory-repair-pending",
        f"pages or rows of {', '.join(pending)} wait for a reset to be replaced",
    )
    require(
        not errors,
        "uncorrected-memory-errors",
        f"counted: {errors}",
    )
    require(
        not unprotected or not wants_ecc,
        "error-correction-off",
        f"memory of {', '.join(unprotected)} is not protected",
    )


def _counted(card: query.Gpu) -> dict[str, int]:
    return {name: count for name, count in card.uncorrectable_errors.items() if count and "Volatile" in name}


@pytest.mark.check("instance.console.no_panic", rests_on=("instance.server.active",), source=CONSOLE, api=True)
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
