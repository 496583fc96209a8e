"""Devices between host and guest: taken by vfio-pci, refused where kernel and QEMU refuse, reset when given back."""

import json

from nova import exception

from lab.hosts import card_memory, kernel_log, sysfs

GUEST_DRIVERS = {None, "vfio-pci", "pcieport", "pci-stub"}
"""Drivers that a member of a viable IOMMU group may have (https://docs.kernel.org/driver-api/vfio.html)."""


class Passthrough:
    """The assignable devices of one emulated host."""

    def __init__(self, directory, domains):
        self.directory = directory
        self.domains = domains

    def take(self, uuid, addresses):
        """Give devices to the instance `uuid`.

        Raises:
            InternalError: libvirt or QEMU would refuse, in their words.
        """
        for address in addresses:
            self._check_unused(uuid, address)
            driver = sysfs.driver_of(self.directory.sys, address)
            if driver not in GUEST_DRIVERS:
                raise exception.InternalError(
                    f"Failed to unbind PCI device '{address}' from {driver}: Device or resource busy"
                )
            self._check_group(address, addresses)
        for address in addresses:
            sysfs.bind(self.directory.sys, address, "vfio-pci")
            self._attach(address)

    def give_back(self, uuid, addresses):
        """The host has the devices again, reset as the kernel does when VFIO closes them."""
        for address in addresses:
            if self.domains.holder_of(address, besides=uuid) is None:
                card_memory.reset(self.directory, address)
                sysfs.bind(self.directory.sys, address, None)

    def _check_unused(self, uuid, address):
        holder = self.domains.holder_of(address, besides=uuid)
        if holder is not None:
            raise exception.InternalError(
                f"Requested operation is not valid: PCI device {address} is in use by driver QEMU, domain {holder.name}"
            )

    def _attach(self, address):
        """VFIO attaches the device's group to an IOMMU domain: the kernel says why when it does not."""
        machine = json.loads(self.directory.machine_file.read_text())
        card = next((gpu for gpu in machine["gpus"] if gpu["address"] == address), {})
        if card.get("rmrr"):
            reason = (
                f"vfio-pci {address}: Device is ineligible for IOMMU domain attach due to platform RMRR requirement."
                "  Contact your platform vendor."
            )
        elif not machine["firmware"].get("interrupt_remapping", True):
            reason = (
                "vfio_iommu_type1_attach_group: No interrupt remapping support.  Use the module param"
                ' "allow_unsafe_interrupts" to enable VFIO IOMMU support on this platform'
            )
        else:
            return
        kernel_log.append(self.directory, reason)
        sysfs.bind(self.directory.sys, address, None)
        group = (self.directory.sys / "bus/pci/devices" / address / "iommu_group").readlink().name
        raise exception.InternalError(
            f"internal error: qemu unexpectedly closed the monitor: vfio {address}: failed to setup container for"
            f" group {group}: failed to set iommu for container: Operation not permitted"
        )

    def _check_group(self, address, addresses):
        link = self.directory.sys / "bus/pci/devices" / address / "iommu_group"
        if not link.is_symlink():
            raise exception.InternalError(
                "unsupported configuration: host doesn't support passthrough of host PCI devices"
            )
        group = link.readlink().name
        members = self.directory.sys / "kernel/iommu_groups" / group / "devices"
        for member in sorted(members.iterdir()):
            if member.name not in addresses and sysfs.driver_of(self.directory.sys, member.name) not in GUEST_DRIVERS:
                raise exception.InternalError(
                    f"internal error: qemu unexpectedly closed the monitor: vfio {address}: group {group} is not viable\n"
                    "Please ensure all devices within the iommu_group are bound to their vfio bus driver."
                )
