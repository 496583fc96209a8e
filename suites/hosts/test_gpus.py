"""The cards in the GPU hosts: there, free to be given away, on a link of full width."""

from __future__ import annotations

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.verdicts import require
from probes import initramfs_tool, kernel_log, module_parameters, pci_devices, vfio_log
from probes.pci_devices import PciDevice
from probes.references import NVIDIA_VENDOR_ID

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
VFIO = "https://docs.kernel.org/driver-api/vfio.html"
SRIOV = "https://docs.kernel.org/PCI/pci-iov-howto.html"
SYSFS = "https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-bus-pci"


def _is_shared_out(device: PciDevice, cloud: Cloud) -> bool:
    """Whether only virtual functions of the card are given away: its own driver stays on the host and makes them."""
    return device.physical_function is None and any(
        gpu.product_id == device.product_id and gpu.device_type == "type-VF" for gpu in cloud.gpus
    )


@pytest.mark.check("host.gpu.whole", source=SRIOV)
def test_a_card_that_is_given_whole_has_no_virtual_functions(
    gpu_host: Host, declared_gpu_host: DeclaredHost, cloud: Cloud
) -> None:
    """Virtual functions count as cards, and a card that has some cannot be given away itself."""
    devices = pci_devices.read(gpu_host)
    cards = {device.address: device for device in devices if device.is_nvidia_gpu and not device.physical_function}
    by_functions = {gpu.product_id for gpu in cloud.gpus if gpu.device_type == "type-VF"}
    found = [
        device
        for device in devices
        if device.physical_function in cards and cards[device.physical_function].product_id not in by_functions
    ]
    require(
        not found or bool({device.product_id for device in found} & by_functions),
        "virtual-functions-on-a-whole-card",
        ", ".join(f"{device.address} of {device.physical_function}" for device in found),
    )


@pytest.mark.check("host.gpu.present", rests_on=("host.gpu.whole",), source="the cloud file")
def test_the_declared_gpus_are_there(gpu_host: Host, declared_gpu_host: DeclaredHost, cloud: Cloud) -> None:
    """As many cards of each declared model as the cloud file says."""
    devices = pci_devices.read(gpu_host)

    for expected in declared_gpu_host.gpus:
        product = cloud.gpu(expected.model).product_id
        found = [device.address for device in devices if device.is_nvidia_gpu and device.product_id == product]
        others = {device.product_id for device in devices if device.is_nvidia_gpu} - {product}
        require(
            len(found) == expected.count,
            "other-cards-than-declared",
            f"{expected.count} x {expected.model} ({NVIDIA_VENDOR_ID}:{product}) declared, "
            f"{len(found)} found at {found}; "
            f"other NVIDIA GPUs: {sorted(others) or 'none'}",
        )


@pytest.mark.check("host.gpu.device_type", rests_on=("host.gpu.present",), source=NOVA_PCI)
def test_every_card_is_of_the_declared_device_type(
    gpu_host: Host, declared_gpu_host: DeclaredHost, cloud: Cloud
) -> None:
    """A card with an SR-IOV capability is type-PF to Nova, any other type-PCI: an alias of the other type finds none."""  # noqa: E501
    devices = pci_devices.read(gpu_host)
    for expected in declared_gpu_host.gpus:
        declared = cloud.gpu(expected.model)
        found = {
            device.address: "type-PCI" if device.total_vfs is None else "type-PF"
            for device in devices
            if device.is_nvidia_gpu and device.product_id == declared.product_id
        }
        wrong = {address: kind for address, kind in found.items() if kind != declared.device_type}
        require(
            declared.device_type == "type-VF" or not wrong,
            "card-of-another-device-type",
            f"{expected.model} is declared {declared.device_type}, sysfs says {wrong}",
            kind=min(wrong.values(), default=""),
        )


@pytest.mark.check("host.gpu.answers", rests_on=("host.gpu.present", "host.vfio.reset"), source=SYSFS)
def test_every_card_answers_on_the_bus(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """A card whose configuration space reads all ones (lspci: rev ff) did not come back from its last reset."""
    cards = [device for device in pci_devices.read(gpu_host) if device.is_nvidia_gpu]

    dead = [card.address for card in cards if card.is_answering is False]
    asleep = [address for address in vfio_log.read(gpu_host).asleep if address in dead] if dead else []
    require(
        not asleep,
        "card-does-not-wake-up",
        f"the configuration space of {', '.join(asleep)} reads 0xff since it did not come back from D3cold",
        file="/etc/modprobe.d",
    )
    require(
        not dead,
        "card-fell-off-the-bus/host",
        f"the configuration space of {', '.join(dead)} reads 0xff",
    )


@pytest.mark.check("host.gpu.group_viable", rests_on=("host.iommu.groups", "host.gpu.driver"), source=VFIO)
def test_every_gpus_group_is_viable(gpu_host: Host, declared_gpu_host: DeclaredHost, cloud: Cloud) -> None:
    """All members of a card's IOMMU group are bound to a driver of VFIO, to a bridge's driver, or to none."""
    devices = pci_devices.read(gpu_host)
    cards = [device for device in devices if device.is_nvidia_gpu and not _is_shared_out(device, cloud)]
    groups = {card.iommu_group for card in cards if card.iommu_group is not None}

    strangers = [device for device in devices if device.iommu_group in groups and not device.is_viable]
    functions = {device.address[:-2] for device in devices if device.is_nvidia_gpu}
    own = [device for device in strangers if device.address[:-2] in functions]

    found = "; ".join(
        f"{d.address} ({d.vendor_id}:{d.product_id}) in group {d.iommu_group} has {d.driver}" for d in own
    )
    require(
        not own,
        "other-function-of-the-card-bound",
        found,
        rebuild=initramfs_tool.for_fix(gpu_host, is_needed=own).rebuild,
    )
    found = "; ".join(
        f"{d.address} ({d.vendor_id}:{d.product_id}) in group {d.iommu_group} has {d.driver}" for d in strangers
    )
    require(
        not strangers,
        "group-shared-with-another-device",
        found,
    )


@pytest.mark.check("host.gpu.driver", rests_on=("host.gpu.present",), source=NOVA_PCI)
def test_no_graphics_driver_of_the_host_holds_a_gpu(
    gpu_host: Host, declared_gpu_host: DeclaredHost, cloud: Cloud, deployer: Deployer
) -> None:
    """A card is bound to a driver of VFIO or to nothing: nouveau or nvidia on the host would hold it back."""
    held = {
        device.address: device.driver
        for device in pci_devices.read(gpu_host)
        if device.is_nvidia_gpu and device.driver and not device.is_on_vfio and not _is_shared_out(device, cloud)
    }

    require(
        not held,
        f"{min((str(driver) for driver in held.values()), default='')}-holds-a-card",
        f"bound: {held}",
        file="/etc/modprobe.d",
        blacklist=deployer.settings.driver_blacklist,
        rebuild=initramfs_tool.for_fix(gpu_host, is_needed=held).rebuild,
    )


@pytest.mark.check("host.gpu.link_width", rests_on=("host.gpu.answers",), source=SYSFS)
def test_every_link_has_its_full_width(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """A link keeps its width while idle, unlike its speed: fewer lanes than card and slot have is a bad contact."""
    cards = [device for device in pci_devices.read(gpu_host) if device.is_nvidia_gpu]

    narrow = [f"{d.address}: x{d.link_width} of x{d.max_link_width}" for d in cards if d.has_full_width is False]
    require(
        not narrow,
        "link-lost-lanes",
        "; ".join(narrow),
    )


@pytest.mark.check("host.iommu.remapping", rests_on=("host.iommu.groups",), source=VFIO)
def test_interrupts_are_remapped(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """Without interrupt remapping a guest could forge interrupts: VFIO refuses, or was told not to care."""
    log = kernel_log.read(gpu_host)

    require(
        not module_parameters.allows_unsafe_interrupts(gpu_host),
        "unsafe-interrupts-allowed",
        "vfio_iommu_type1 has allow_unsafe_interrupts: guests can forge interrupts of the host",
        file="/etc/modprobe.d",
    )
    has_iommu = bool(log.iommu.remapping_units) or log.iommu.is_amd_vi
    # a log that no longer goes back to the boot says nothing; VFIO, which refuses without remapping, then stands for it
    is_silent = log.iommu.interrupt_remapping is None and not log.has_boot
    require(
        log.iommu.interrupt_remapping or is_silent or not has_iommu,
        "no-interrupt-remapping",
        "the kernel found an IOMMU and enabled no interrupt remapping",
    )


@pytest.mark.check("host.iommu.reserved_memory", rests_on=("host.iommu.groups",), source=VFIO)
def test_no_platform_reservation_keeps_a_card(gpu_host: Host, declared_gpu_host: DeclaredHost) -> None:
    """A reserved memory region (RMRR) that firmware keeps for a card makes the kernel refuse to give it to a guest."""
    refused = kernel_log.read(gpu_host).iommu.refused_for_reservation
    cards = {device.address for device in pci_devices.read(gpu_host) if device.is_nvidia_gpu}

    kept = [line for address, line in refused.items() if address in cards]
    require(
        not kept,
        "platform-keeps-the-card",
        "; ".join(kept[:4]),
    )
