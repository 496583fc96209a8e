"""The instances: complete, placed, with exactly their cards and a driver that took them."""

from __future__ import annotations

from typing import Any

import pytest

from probes import kernel_log, lsmod, lspci, nvidia_module
from probes.host import Host
from probes.openstack import nova
from probes.references import gpu_models
from provisioning.cloud_file import Cloud, DeclaredGuest
from provisioning.environment import Environment, Guest

HEAT = "https://docs.openstack.org/heat/latest/template_guide/openstack.html"
NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
NVIDIA = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"


def _cards(cloud: Cloud, guest: DeclaredGuest) -> dict[str, int]:
    """Expected cards by product id."""
    return {cloud.gpu(expected.model).product_id: expected.count for expected in cloud.gpus_of(guest.flavor)}


@pytest.mark.check(
    "instance.stack.complete",
    rests_on=("control_plane.alias.api", "flavor.alias", "tenant.quota"),
    source=HEAT,
    api=True,
)
def test_the_stack_is_complete(
    made_guest: Guest, declared_guest: DeclaredGuest, environment: Environment, admin: Any
) -> None:
    """The tenant's stack is complete: its wait condition was signalled when CUDA was really there."""
    problem = made_guest.failure or "; ".join(environment.failures.values())

    assert not problem, f"{declared_guest.name}: {problem}"
    assert made_guest.server_id is not None, f"{declared_guest.name} was not made"


@pytest.mark.check(
    "instance.server.active",
    rests_on=("instance.stack.complete", "host.iommu.groups", "control_plane.filters.pci"),
    source=NOVA_PCI,
    api=True,
)
def test_the_instance_is_active_on_a_gpu_host(
    made_guest: Guest, declared_guest: DeclaredGuest, cloud: Cloud, admin: Any
) -> None:
    """Nova has the instance ACTIVE on a host that is declared to have cards."""
    assert made_guest.server_id is not None, f"{declared_guest.name}: there is no instance: {made_guest.failure}"
    found = nova.server(admin, made_guest.server_id)
    gpu_hosts = [host.name for host in cloud.computes if host.gpus]

    assert found.status == "ACTIVE", f"{found.name} is {found.status}: {found.fault}"
    assert (found.host or "").split(".")[0] in gpu_hosts, (
        f"{found.name} runs on {found.host}, which is declared without GPUs"
    )


@pytest.mark.check("instance.gpu.exact", rests_on=("instance.server.active",), source=NOVA_PCI)
def test_the_instance_has_exactly_the_requested_cards(guest: Host, declared_guest: DeclaredGuest, cloud: Cloud) -> None:
    """lspci shows as many cards as the flavor asks for, not fewer and not more."""
    found: dict[str, int] = {}
    for device in lspci.read(guest):
        if device.is_nvidia_gpu:
            found[device.product_id] = found.get(device.product_id, 0) + 1

    assert found == _cards(cloud, declared_guest), (
        f"{declared_guest.name}: lspci shows {found}, the flavor asks for {_cards(cloud, declared_guest)}"
    )


@pytest.mark.check("instance.driver.loaded", rests_on=("instance.gpu.exact",), source=NVIDIA)
def test_the_nvidia_modules_are_loaded_and_nouveau_is_not(guest: Host, declared_guest: DeclaredGuest) -> None:
    """nvidia is loaded and used by its own modules; nouveau would hold the cards."""
    modules = lsmod.read(guest)

    assert "nouveau" not in modules, (
        f"{declared_guest.name}: nouveau is loaded; blacklist it and rebuild the initramfs of the image"
    )
    assert "nvidia" in modules, (
        f"{declared_guest.name}: the nvidia module is not loaded; was it built? kernel-devel must be of the running kernel (uname -r), "
        "and gcc must be there; see /var/log/install-cuda.log and dkms status"
    )
    assert modules["nvidia"].used_by, f"{declared_guest.name}: nothing uses the nvidia module"


@pytest.mark.check("instance.driver.fits", rests_on=("instance.driver.loaded",), source=NVIDIA)
def test_the_driver_supports_the_cards(guest: Host, declared_guest: DeclaredGuest, cloud: Cloud) -> None:
    """Branch and flavour of the loaded module are ones that still take this architecture."""
    module = nvidia_module.read(guest)

    for expected in cloud.gpus_of(declared_guest.flavor):
        model = gpu_models()[expected.model]
        assert module.flavour in model.kernel_modules, (
            f"the {module.flavour} module does not take {model.architecture}; install the {model.kernel_modules[0]} one"
        )
        assert model.last_driver_branch is None or module.branch <= model.last_driver_branch, (
            f"driver {module.version} has left {model.architecture} out; {model.last_driver_branch} is the last branch with it"
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
    assert not serious, f"{declared_guest.name}: {'; '.join(serious)}"
    assert not found.probe_errors, f"{declared_guest.name}: {'; '.join(found.probe_errors)}"
