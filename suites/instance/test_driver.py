"""The driver in the instances: built for the running kernel, loaded, fit for the cards, and without complaints."""

from __future__ import annotations

import re

import pytest

from access.errors import NotVerified
from access.host import Host
from access.testinfra_backend import inspected
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from judging import driver_words
from judging.measuring import HOW_TO_SAY
from judging.notes import Notes
from judging.verdicts import require, require_none
from probes import cuda_log, kernel_log, kernel_release, lsmod, nvidia_module
from probes.nvidia_smi import failures

OF_THE_LIBRARY = re.compile(r"API mismatch|this kernel module|driver components|components have the same version")
"""The module's words about a library of another version: instance.driver.tools tells of it."""
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
    require_none([] if "nvidia" in modules else driver_words.findings(log))
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
        model = cloud.reference(expected.model)
        if model is None:
            raise NotVerified(f"nothing is known of {expected.model}; {HOW_TO_SAY}")
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
def test_the_kernel_reports_no_gpu_error(guest: Host, declared_guest: DeclaredGuest, notes: Notes) -> None:
    """dmesg has no Xid that says something against a card, and no card that the driver refused."""
    found = kernel_log.read(guest)
    notes.found = driver_words.notes_of_xids(found.xids)

    require_none(driver_words.of_xids(found.xids))
    require_none(driver_words.of_switches(found.switch_errors))
    fallen = [item.line for item in found.fallen_off]
    require(
        not fallen,
        "card-fell-off-the-bus",
        "; ".join(fallen)[:1000],
    )
    complaints = [line for line in found.probe_errors if not OF_THE_LIBRARY.search(line)]
    require_none(driver_words.findings(complaints))
    require(
        not complaints,
        "driver-complains",
        "; ".join(complaints)[:1000],
    )


@pytest.mark.check(
    "instance.driver.tools", rests_on=("instance.driver.loaded", "instance.driver.no_errors"), source=SMI
)
def test_nvidia_smi_answers(guest: Host, declared_guest: DeclaredGuest) -> None:
    """nvidia-smi ends within a minute and prints its table: its exit code says little, so what it prints is read."""
    failure = failures.read(guest)
    cause = SMI_CAUSES.get(failure.kind, f"nvidia-smi-{failure.kind}") if failure else ""

    require(failure is None, cause, failure.line if failure else "", remedy=failure.remedy if failure else "")
