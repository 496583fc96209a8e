"""What the host's kernel needs to give cards away, and what it said while it did."""

from __future__ import annotations

import pytest

from access.errors import MeasurementError, NotVerified
from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.notes import Notes
from judging.verdicts import require
from probes import (
    audit_log,
    dracut_conf,
    initramfs_tool,
    kernel_config,
    lsmod,
    memory_locking,
    module_parameters,
    pci_devices,
    vfio_log,
)
from provisioning.environment import Cycles

VFIO = "https://docs.kernel.org/driver-api/vfio.html"
DRACUT = "https://man7.org/linux/man-pages/man5/dracut.conf.5.html"
SELINUX = (
    "https://docs.redhat.com/en/documentation/red_hat_enterprise_linux/7/html/selinux_users_and_administrators_guide/"
)
RESETS = "https://docs.kernel.org/PCI/pci.html"
LOCKING = "https://libvirt.org/formatdomain.html#memory-tuning"
DISPLAY = "03"
"""Base class of graphics cards."""
MAPPINGS = 65535
"""U16_MAX in drivers/vfio/vfio_iommu_type1.c."""
BESIDE_MEMORY_MIB = 1024
"""What libvirt adds for a device's own memory (qemuDomainGetMemLockLimitBytes)."""
MEMORY = "https://docs.openstack.org/nova/latest/configuration/config.html#DEFAULT.reserved_host_memory_mb"


@pytest.mark.check("host.vfio.backend", rests_on=("host.iommu.groups",), source=VFIO)
def test_vfio_has_its_iommu_backend(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """A vfio that was loaded from the initramfs looks for vfio_iommu_type1 once: without it no device can be opened."""
    is_asked_for = "vfio_pci" in lsmod.read(gpu_host)
    is_loaded = module_parameters.read(gpu_host, module_parameters.VFIO) is not None  # also where it is built in
    has_backend = not is_asked_for or is_loaded or kernel_config.read(gpu_host).iommufd_stands_for_vfio
    tool = initramfs_tool.for_fix(gpu_host, is_needed=not has_backend)

    require(
        has_backend,
        "vfio-without-its-iommu-backend",
        "vfio_pci is loaded, vfio_iommu_type1 is neither loaded nor built in: QEMU says 'No available IOMMU models'",
        early_modules=tool.early_modules,
        rebuild=tool.rebuild,
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


@pytest.mark.check("host.vfio.cycles", rests_on=("host.gpu.present",), source=RESETS)
def test_every_card_comes_back_each_time_it_is_given_away(
    gpu_host: Host, declared_gpu_host: DeclaredHost, cycles: Cycles, notes: Notes
) -> None:
    """Given away and taken back as often as --cycles says, every card comes back from its reset, and every instance starts again."""  # noqa: E501
    if cycles.missing:
        raise MeasurementError(f"no cycle could be made: {cycles.missing}")
    vfio_log.read(gpu_host)  # the evidence
    mine = [trouble for trouble in cycles.troubles if trouble.host == declared_gpu_host.name]
    words = {
        kind: ", ".join(each.what for each in mine if each.kind == kind) for kind in ("asleep", "reset", "instance")
    }
    nth = f"in cycle {cycles.made} of {cycles.wanted}"
    notes.found = "" if mine else f"{cycles.made} of {cycles.wanted} cycles, nothing went wrong on this host"

    require(not words["asleep"], "card-does-not-wake-up", f"{words['asleep']} did not come back from D3cold {nth}")
    require(not words["reset"], "reset-fails-on-a-cycle", f"{words['reset']} did not come back after a reset {nth}")
    require(not words["instance"], "instance-does-not-start-again", f"{nth}: {words['instance'][:1500]}")
    if cycles.made < cycles.wanted and not cycles.troubles:
        raise NotVerified(f"{cycles.made} of {cycles.wanted} cycles were made")


@pytest.mark.check("host.vfio.reset", rests_on=("host.gpu.present", "host.vfio.cycles"), source=RESETS)
def test_every_card_came_back_from_its_resets(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """A card that does not answer after a function level reset is lost for the next instance."""
    log = vfio_log.read(gpu_host)
    others = _neither_cards_nor_bridges(gpu_host) if log.asleep or log.failed_resets else frozenset()
    asleep = [address for address in log.asleep if address not in others]
    lost = [address for address in log.failed_resets if address not in others]

    require(
        not asleep,
        "card-does-not-wake-up",
        f"{', '.join(asleep)} did not come back from D3cold",
        file="/etc/modprobe.d",
    )
    require(
        not lost,
        "card-lost-in-a-reset",
        f"{', '.join(lost)} did not come back after a reset (dmesg: not ready … giving up)",
    )


def _neither_cards_nor_bridges(host: Host) -> frozenset[str]:
    """Addresses of devices whose resets say nothing of cards; what is not there any more may be one."""
    return frozenset(
        str(device.address)
        for device in pci_devices.read(host)
        if not device.is_of_nvidia and not device.class_code.startswith((DISPLAY, pci_devices.BRIDGE_CLASS))
    )


@pytest.mark.check("host.memory.instances_survive", source=MEMORY)
def test_no_instance_was_killed_for_memory(gpu_host: Host, declared_gpu_host: DeclaredHost, deployer: Deployer) -> None:
    """All memory of an instance with a card is pinned: without a reserve for QEMU's own the kernel kills it."""
    killed = vfio_log.read(gpu_host).killed_instances

    require(
        not killed,
        "instance-killed-for-memory",
        "; ".join(killed[-3:])[:1000],
        setting=deployer.settings.reserved_memory,
        apply=deployer.settings.how_to_apply,
    )


@pytest.mark.check("host.vfio.mappings", rests_on=("host.iommu.groups",), source=VFIO)
def test_vfio_may_map_as_much_as_the_kernel_allows(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """Each piece of an instance's memory is one DMA mapping: with a lower limit a large instance fails to start."""
    limit = module_parameters.dma_entry_limit(gpu_host)
    is_enough = limit is None or limit >= MAPPINGS

    require(
        is_enough,
        "dma-mappings-limited",
        f"vfio_iommu_type1 has dma_entry_limit={limit}, the kernel's own is {MAPPINGS}",
        file="/etc/modprobe.d",
        rebuild=initramfs_tool.for_fix(gpu_host, is_needed=not is_enough).rebuild,
    )


@pytest.mark.check("host.memory.lockable", source=LOCKING)
def test_libvirt_may_lock_the_memory_of_an_instance(
    gpu_host: Host, declared_gpu_host: DeclaredHost, cloud: Cloud, notes: Notes
) -> None:
    """QEMU locks all memory of an instance with a card: libvirt's daemon has that limit, or may raise it."""
    found = memory_locking.read(gpu_host)
    if found is None:
        notes.found = "neither virtqemud nor libvirtd runs: it is started by its socket"
        return
    needed = (max((flavor.memory_mb for flavor in cloud.flavors), default=0) + BESIDE_MEMORY_MIB) << 20
    require(
        found.can_raise or found.limit_bytes is None or found.limit_bytes >= needed,
        "memory-locking-limited",
        f"{found.daemon} may lock {found.limit_bytes} bytes and has no CAP_SYS_RESOURCE, {needed} are needed",
    )
