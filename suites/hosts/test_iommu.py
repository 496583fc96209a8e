"""The GPU hosts from firmware to IOMMU groups."""

from __future__ import annotations

import pytest

from access.host import Host
from cloud_file.deployer import Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.iommu_arguments import why_off
from judging.verdicts import require
from probes import cpu_vendor, firmware, grub, kernel_cmdline, kernel_config, pci_devices
from probes.references.iommu import argument_of

IOMMU_DOC = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
KERNEL_DOC = "https://docs.kernel.org/admin-guide/kernel-parameters.html"
ACS = "https://docs.kernel.org/PCI/pciebus-howto.html"
LOADER = "/loader/entries/"
SET_BY_LOADER = ("BOOT_IMAGE=", "vt.handoff=", "initrd=", "ostree=")
"""By the loader itself, or by which image of two it starts."""


def _vendor(host: Host, declared: DeclaredHost) -> str:
    """As declared, else as the host itself says."""
    return declared.cpu_vendor or cpu_vendor.read(host)


def _turns_iommu_on(host: Host, declared: DeclaredHost, arguments: tuple[str, ...]) -> bool:
    """Debian and Ubuntu have kernels that need no argument for Intel's IOMMU."""
    if kernel_cmdline.turns_iommu_on(arguments, _vendor(host, declared)):
        return True
    on_by_default = kernel_config.read(host).intel_iommu_on_by_default
    return kernel_cmdline.turns_iommu_on(arguments, _vendor(host, declared), on_by_default=on_by_default)


@pytest.mark.check("host.iommu.firmware", source=IOMMU_DOC)
def test_the_firmware_offers_an_iommu(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """ACPI has the table DMAR (Intel), IVRS (AMD) or IORT (Arm): without it no kernel argument helps."""
    found = firmware.read(gpu_host)

    require(
        found.iommu_table,
        "iommu-off-in-firmware",
        "no DMAR, IVRS or IORT among the ACPI tables, so the kernel knows of no IOMMU whatever its arguments are",
    )


@pytest.mark.check("host.iommu.grub_defaults", source=KERNEL_DOC)
def test_grub_defaults_turn_the_iommu_on(gpu_host: Host, declared_gpu_host: DeclaredHost, deployer: Deployer) -> None:
    """/etc/default/grub has the vendor's argument, so that the next generated configuration has it, too.

    Hosts that boot images of ostree or bootc generate none. Entries that are files of their own are left alone by
    grub2-mkconfig: what counts there is what the next kernel's entry is given.
    """
    if grub.is_image_based(gpu_host):
        return
    arguments = grub.read_defaults(gpu_host).arguments
    if not _turns_iommu_on(gpu_host, declared_gpu_host, arguments) and _is_kept(gpu_host, declared_gpu_host):
        return

    cause, what = why_off(arguments, _vendor(gpu_host, declared_gpu_host))
    require(
        _turns_iommu_on(gpu_host, declared_gpu_host, arguments),
        cause,
        f"GRUB_CMDLINE_LINUX: {what}",
        setting=deployer.settings.kernel_arguments,
        apply=deployer.settings.how_to_apply_to_kernel,
        file="/etc/default/grub",
    )


def _is_kept(host: Host, declared: DeclaredHost) -> bool:
    """Whether boot entries are files of their own, this one has the argument, and so will the next kernel's."""
    entry = grub.read_boot_entry(host)
    return (
        LOADER in entry.source
        and _turns_iommu_on(host, declared, entry.arguments)
        and _turns_iommu_on(host, declared, grub.read_arguments_of_new_entries(host))
    )


@pytest.mark.check("host.iommu.boot_entry", rests_on=("host.iommu.grub_defaults",), source=KERNEL_DOC)
def test_the_boot_loader_will_turn_the_iommu_on(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """The configuration that this firmware starts from has the argument: the next boot will have it."""
    entry, vendor = grub.read_boot_entry(gpu_host), _vendor(gpu_host, declared_gpu_host)
    is_on = _turns_iommu_on(gpu_host, declared_gpu_host, entry.arguments)
    others = () if is_on else grub.read_other_entries(gpu_host, entry)
    elsewhere = [other.source for other in others if kernel_cmdline.turns_iommu_on(other.arguments, vendor)]
    cause = _why_not(entry.source, elsewhere)

    found_in = f"; {', '.join(elsewhere)} has it, and is not what this machine starts" if elsewhere else ""
    require(
        is_on,
        cause,
        f"{entry.source} lacks {argument_of(vendor)}, which /etc/default/grub has{found_in}",
        command=_generate(entry.source),
        file=entry.source,
    )


def _why_not(source: str, elsewhere: list[str]) -> str:
    """The cause of an argument that did not reach the boot entry, by where it stands instead."""
    entries = [file for file in elsewhere if LOADER in file]
    if LOADER in source:
        return "argument-only-in-another-entry" if entries else "bls-entries-not-updated"
    return "written-to-the-wrong-grub-cfg" if elsewhere else "boot-configuration-not-generated"


def _generate(source: str) -> str:
    return "update-grub" if source == grub.DEBIAN_CONFIG else f"grub2-mkconfig -o {source}"


@pytest.mark.check("host.iommu.cmdline", rests_on=("host.iommu.boot_entry",), source=KERNEL_DOC)
def test_the_running_kernel_was_told_to_use_the_iommu(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """/proc/cmdline has the argument: files alone change nothing before a reboot."""
    require(
        _turns_iommu_on(gpu_host, declared_gpu_host, kernel_cmdline.read(gpu_host).arguments),
        "not-rebooted",
        f"/proc/cmdline lacks {argument_of(_vendor(gpu_host, declared_gpu_host))}: "
        "the host runs since before its boot configuration was changed",
        file="/proc/cmdline",
    )


@pytest.mark.check(
    "host.iommu.unchanged_since_boot", rests_on=("host.iommu.cmdline", "host.iommu.boot_entry"), source=KERNEL_DOC
)
def test_nothing_was_changed_since_the_last_boot(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """The default boot entry is what the kernel runs with: else the next reboot brings another machine."""
    running = set(kernel_cmdline.read(gpu_host).arguments)
    entry = grub.read_boot_entry(gpu_host)

    different = {word for word in running ^ set(entry.arguments) if not word.startswith(SET_BY_LOADER)}

    require(
        not different,
        "changed-since-boot",
        f"{entry.source} and /proc/cmdline differ in {', '.join(sorted(different))}",
        file=entry.source,
    )


@pytest.mark.check("host.iommu.groups", rests_on=("host.iommu.firmware", "host.iommu.cmdline"), source=IOMMU_DOC)
def test_iommu_groups_exist(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """Every card is in an IOMMU group: only then can it be given to an instance."""
    devices = pci_devices.read(gpu_host)
    outside = [device.address for device in devices if device.is_nvidia_gpu and device.iommu_group is None]

    require(
        any(device.iommu_group is not None for device in devices),
        "no-iommu-groups",
        "firmware and kernel arguments offer an IOMMU, and yet no device is in a group",
    )
    require(
        not outside,
        "no-iommu-groups/card",
        f"{', '.join(outside)}: in no group, although other devices of the host are in some",
    )


@pytest.mark.check("host.iommu.isolation", rests_on=("host.iommu.cmdline",), source=ACS)
def test_no_patch_pretends_isolation(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """pcie_acs_override splits IOMMU groups that the hardware does not separate: tenants could reach each other's cards."""  # noqa: E501
    words = kernel_cmdline.read(gpu_host).arguments

    override = [word for word in words if word.startswith("pcie_acs_override")]
    require(
        not override,
        "isolation-overridden",
        f"the kernel runs with {' '.join(override)}",
        file="/etc/default/grub",
    )
