"""What the host's kernel needs to give cards away, and what it said while it did."""

from __future__ import annotations

import pytest

from access.host import Host
from cloud_file.sections.hosts import DeclaredHost
from judging.verdicts import require
from probes import audit_log, dracut_conf, lsmod, vfio_log

VFIO = "https://docs.kernel.org/driver-api/vfio.html"
DRACUT = "https://man7.org/linux/man-pages/man5/dracut.conf.5.html"
SELINUX = (
    "https://docs.redhat.com/en/documentation/red_hat_enterprise_linux/7/html/selinux_users_and_administrators_guide/"
)
RESETS = "https://docs.kernel.org/PCI/pci.html"
MEMORY = "https://docs.openstack.org/nova/latest/configuration/config.html#DEFAULT.reserved_host_memory_mb"


@pytest.mark.check("host.vfio.backend", rests_on=("host.iommu.groups",), source=VFIO)
def test_vfio_has_its_iommu_backend(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """A vfio that was loaded from the initramfs looks for vfio_iommu_type1 once: without it no device can be opened."""
    modules = lsmod.read(gpu_host)

    require(
        "vfio_pci" not in modules or "vfio_iommu_type1" in modules,
        "vfio-without-its-iommu-backend",
        "vfio_pci is loaded, vfio_iommu_type1 is not: QEMU says 'No available IOMMU models'",
        file="/etc/dracut.conf.d",
    )


@pytest.mark.check("host.vfio.initramfs", source=DRACUT)
def test_dracut_is_asked_only_for_modules_that_exist(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """A module that the kernel no longer has (vfio_virqfd since 6.2) leaves an initramfs that is incomplete or hangs."""  # noqa: E501
    found = dracut_conf.read(gpu_host)

    require(
        not found.missing,
        "initramfs-asked-for-a-missing-module",
        f"dracut shall pack {', '.join(found.missing)}, and the running kernel has no such module",
        file="/etc/dracut.conf.d",
    )


@pytest.mark.check("host.vfio.permitted", source=SELINUX)
def test_no_security_module_keeps_qemu_from_a_device(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """SELinux or AppArmor may refuse /dev/vfio to QEMU, often only when a device is attached again."""
    denials = audit_log.read(gpu_host)

    require(
        not denials,
        "security-module-denies-vfio",
        "; ".join(denial.line for denial in denials[-3:])[:1000],
    )


@pytest.mark.check("host.vfio.reset", rests_on=("host.gpu.present",), source=RESETS)
def test_every_card_came_back_from_its_resets(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """A card that does not answer after a function level reset is lost for the next instance."""
    log = vfio_log.read(gpu_host)
    lost = log.failed_resets

    require(
        not log.asleep,
        "card-does-not-wake-up",
        f"{', '.join(log.asleep)} did not come back from D3cold",
        file="/etc/modprobe.d",
    )
    require(
        not lost,
        "card-lost-in-a-reset",
        f"{', '.join(lost)} did not come back after a reset (dmesg: not ready … giving up)",
    )


@pytest.mark.check("host.memory.instances_survive", source=MEMORY)
def test_no_instance_was_killed_for_memory(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """All memory of an instance with a card is pinned: without a reserve for QEMU's own the kernel kills it."""
    killed = vfio_log.read(gpu_host).killed_instances

    require(
        not killed,
        "instance-killed-for-memory",
        "; ".join(killed[-3:])[:1000],
    )
