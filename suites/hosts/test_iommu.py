"""The GPU hosts from firmware to IOMMU groups."""

from __future__ import annotations

import pytest

from probes import firmware, grub, kernel_cmdline, pci_devices
from probes.host import Host
from provisioning.cloud_file import Cloud, DeclaredHost

IOMMU_DOC = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
KERNEL_DOC = "https://docs.kernel.org/admin-guide/kernel-parameters.html"
WANTED = {"intel": "intel_iommu=on", "amd": "amd_iommu=on"}


def _vendor(declared: DeclaredHost) -> str:
    return declared.cpu_vendor or "intel"


@pytest.mark.check("host.iommu.firmware", source=IOMMU_DOC)
def test_the_firmware_offers_an_iommu(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """ACPI has the table DMAR (Intel) or IVRS (AMD): without it no kernel argument helps."""
    found = firmware.read(gpu_host)

    assert found.iommu_table is not None, (
        f"{declared_gpu_host.name}: no DMAR or IVRS among the ACPI tables; switch VT-d (Intel) or AMD-Vi on in the BIOS"
    )


@pytest.mark.check("host.iommu.grub_defaults", source=KERNEL_DOC)
def test_grub_defaults_turn_the_iommu_on(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """/etc/default/grub has the vendor's argument, so that the next generated configuration has it, too."""
    arguments = grub.read_defaults(gpu_host).arguments

    assert kernel_cmdline.turns_iommu_on(arguments, _vendor(declared_gpu_host)), (
        f"{declared_gpu_host.name}: /etc/default/grub lacks {WANTED[_vendor(declared_gpu_host)]} in GRUB_CMDLINE_LINUX; "
        "the first-boot script or KernelArgs did not reach this host: see /var/log/gpu-first-boot.log and the role of KernelArgs"
    )


@pytest.mark.check("host.iommu.boot_entry", rests_on=("host.iommu.grub_defaults",), source=KERNEL_DOC)
def test_the_boot_loader_will_turn_the_iommu_on(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """The configuration that this firmware starts from has the argument: the next boot will have it."""
    entry = grub.read_boot_entry(gpu_host)

    assert kernel_cmdline.turns_iommu_on(entry.arguments, _vendor(declared_gpu_host)), (
        f"{declared_gpu_host.name}: {entry.source} lacks {WANTED[_vendor(declared_gpu_host)]}; "
        f"write it: grub2-mkconfig -o {entry.source} (with BLS entries: grubby --update-kernel=ALL --args=…)"
    )


@pytest.mark.check("host.iommu.cmdline", rests_on=("host.iommu.boot_entry",), source=KERNEL_DOC)
def test_the_running_kernel_was_told_to_use_the_iommu(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """/proc/cmdline has the argument: files alone change nothing before a reboot."""
    running = kernel_cmdline.read(gpu_host)
    entry = grub.read_boot_entry(gpu_host)
    vendor = _vendor(declared_gpu_host)

    step = (
        "reboot: the boot configuration has it, the running kernel not"
        if kernel_cmdline.turns_iommu_on(entry.arguments, vendor)
        else "it is missing in the boot configuration as well"
    )
    assert running.turns_iommu_on(vendor), f"{declared_gpu_host.name}: /proc/cmdline lacks {WANTED[vendor]}; {step}"


@pytest.mark.check("host.iommu.unchanged_since_boot", rests_on=("host.iommu.cmdline",), source=KERNEL_DOC)
def test_nothing_was_changed_since_the_last_boot(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """The default boot entry is what the kernel runs with: else the next reboot brings another machine."""
    running = set(kernel_cmdline.read(gpu_host).arguments)
    entry = grub.read_boot_entry(gpu_host)

    different = {word for word in running ^ set(entry.arguments) if not word.startswith("BOOT_IMAGE=")}

    assert not different, (
        f"{declared_gpu_host.name}: {entry.source} and /proc/cmdline differ in {', '.join(sorted(different))}; reboot"
    )


@pytest.mark.check("host.iommu.groups", rests_on=("host.iommu.firmware", "host.iommu.cmdline"), source=IOMMU_DOC)
def test_iommu_groups_exist(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """Devices are in IOMMU groups: only then can one be given to an instance."""
    devices = pci_devices.read(gpu_host)

    assert any(device.iommu_group is not None for device in devices), (
        f"{declared_gpu_host.name}: no device is in an IOMMU group; BIOS switch (host.iommu.firmware) or kernel argument (host.iommu.cmdline)"
    )


@pytest.mark.check("host.gpu.present", source="the cloud file")
def test_the_declared_gpus_are_there(gpu_host: Host, declared_gpu_host: DeclaredHost, cloud: Cloud) -> None:
    """As many cards of each declared model as the cloud file says."""
    devices = pci_devices.read(gpu_host)

    for expected in declared_gpu_host.gpus:
        product = cloud.gpu(expected.model).product_id
        found = [device.address for device in devices if device.is_nvidia_gpu and device.product_id == product]
        others = {device.product_id for device in devices if device.is_nvidia_gpu} - {product}
        assert len(found) == expected.count, (
            f"{declared_gpu_host.name}: {expected.count} x {expected.model} (10de:{product}) declared, found {len(found)}: {found}; "
            f"other NVIDIA GPUs: {sorted(others) or 'none'}"
        )


@pytest.mark.check(
    "host.gpu.group_viable", rests_on=("host.iommu.groups",), source="https://docs.kernel.org/driver-api/vfio.html"
)
def test_every_gpus_group_is_viable(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """All members of a card's IOMMU group are bound to vfio-pci, to a bridge's driver, or to none."""
    devices = pci_devices.read(gpu_host)
    groups = {device.iommu_group for device in devices if device.is_nvidia_gpu and device.iommu_group is not None}

    strangers = [
        f"{device.address} ({device.vendor_id}:{device.product_id}) in group {device.iommu_group} bound to {device.driver}"
        for device in devices
        if device.iommu_group in groups and device.driver not in pci_devices.VFIO_DRIVERS
    ]

    assert not strangers, (
        f"{declared_gpu_host.name}: {'; '.join(strangers)}; bind these to vfio-pci, or move the card to another slot"
    )


@pytest.mark.check("host.gpu.driver", source=IOMMU_DOC)
def test_no_graphics_driver_of_the_host_holds_a_gpu(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """A card is bound to vfio-pci or to nothing: nouveau or nvidia on the host would hold it back."""
    held = {
        device.address: device.driver
        for device in pci_devices.read(gpu_host)
        if device.is_nvidia_gpu and device.driver not in (None, "vfio-pci")
    }

    assert not held, (
        f"{declared_gpu_host.name}: {held}; blacklist the driver (/etc/modprobe.d), rebuild the initramfs with dracut -f, reboot"
    )
