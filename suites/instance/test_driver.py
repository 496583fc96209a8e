"""The driver in the instances: built for the running kernel, loaded, fit for the cards, and without complaints."""

from __future__ import annotations

import re

import pytest

from access.errors import NotVerified
from access.host import Host
from access.testinfra_backend import inspected
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from judging.verdicts import require
from probes import cuda_log, kernel_log, kernel_release, lsmod, nvidia_module
from probes.nvidia_smi import failures
from probes.references import gpu_models

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
SMI_CAUSES = {"version-mismatch": "driver-library-mismatch"}
NVIDIA = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"


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
