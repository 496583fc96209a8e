"""Devices between host and guest: taken by vfio-pci, refused where kernel and QEMU refuse, reset when given back."""

import json
import time

from nova import exception

from lab.hosts.boot import kernel_log
from lab.hosts.hardware import card_memory, sysfs

GUEST_DRIVERS = {None, "vfio-pci", "pcieport", "pci-stub"}
"""Drivers that a member of a viable IOMMU group may have (https://docs.kernel.org/driver-api/vfio.html)."""
HANGING = (
    "not ready 1023ms after FLR; waiting",
    "not ready 16383ms after FLR; waiting",
    "not ready 65535ms after FLR; giving up",
)
ASLEEP = (
    "timed out waiting for pending transaction; performing function level reset anyway",
    "Unable to change power state from D3cold to D0, device inaccessible",
)


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
            self._check_header(address)
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
                self._reset(address)
                sysfs.bind(self.directory.sys, address, None)

    def _reset(self, address):
        """Reset a card that VFIO closed.

        One that `reset_hangs` does not come back from it (pci_dev_wait in Linux), one with `reset_hangs_at: N` not from
        its Nth, one that `stays_asleep` not from D3cold, where an idle card is put
        (pci_power_up).
        """
        card = self._card(address)
        hangs = card.get("reset_hangs") or self._is_its_last(card, address)
        if not hangs and not card.get("stays_asleep"):
            card_memory.reset(self.directory, address)
            return
        for line in ASLEEP if card.get("stays_asleep") else HANGING:
            kernel_log.append(self.directory, f"vfio-pci {address}: {line}")
        config = self.directory.sys / "bus/pci/devices" / address / "config"
        config.write_bytes(b"\xff" * config.stat().st_size)

    def _is_its_last(self, card, address):
        """Whether a card that is declared with `reset_hangs_at` hangs now; resets before that are not counted."""
        if "reset_hangs_at" not in card:
            return False
        return card_memory.count_reset(self.directory, address) >= card["reset_hangs_at"]

    def _card(self, address):
        machine = json.loads(self.directory.machine_file.read_text())
        return next((gpu for gpu in machine["gpus"] if gpu["address"] == address), {})

    def _check_unused(self, uuid, address):
        holder = self.domains.holder_of(address, besides=uuid)
        if holder is not None:
            raise exception.InternalError(
                f"Requested operation is not valid: PCI device {address} is in use by driver QEMU, domain {holder.name}"
            )

    def _check_header(self, address):
        config = self.directory.sys / "bus/pci/devices" / address / "config"
        if config.exists() and set(config.read_bytes()[:64]) == {0xFF}:
            raise exception.InternalError(f"internal error: Unknown PCI header type '127' for device '{address}'")

    def _check_access(self, address, machine, group):
        """What keeps QEMU from opening the group before the kernel is asked to attach it."""
        modules = {line.split()[0] for line in (self.directory.proc / "modules").read_text().splitlines() if line}
        if machine.get("mac_denies_vfio"):
            self._audit(group)
            raise exception.InternalError(
                f"internal error: qemu unexpectedly closed the monitor: vfio {address}: failed to open"
                f" /dev/vfio/{group}: Permission denied"
            )
        if "vfio_pci" in modules and "vfio_iommu_type1" not in modules:
            raise exception.InternalError(
                f"internal error: qemu unexpectedly closed the monitor: vfio {address}: failed to setup container for"
                f" group {group}: No available IOMMU models"
            )

    def _audit(self, group):
        log = self.directory.path("/var/log/audit/audit.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as stream:
            stream.write(
                f"type=AVC msg=audit({time.time():.3f}:4711): avc:  denied  {{ read write }} for  pid=28114"
                f' comm="qemu-kvm" name="{group}" dev="devtmpfs" ino=28921'
                " scontext=system_u:system_r:svirt_t:s0:c107,c434 tcontext=system_u:object_r:device_t:s0"
                ' tclass=chr_file path="/dev/vfio/' + group + '" permissive=0\n'
            )

    def _attach(self, address):
        """VFIO attaches the device's group to an IOMMU domain: the kernel says why when it does not."""
        machine = json.loads(self.directory.machine_file.read_text())
        card = self._card(address)
        group = (self.directory.sys / "bus/pci/devices" / address / "iommu_group").readlink().name
        try:
            self._check_access(address, machine, group)
        except exception.InternalError:
            sysfs.bind(self.directory.sys, address, None)
            raise
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
                    f"internal error: qemu unexpectedly closed the monitor: vfio {address}: "
                    f"group {group} is not viable\n"
                    "Please ensure all devices within the iommu_group are bound to their vfio bus driver."
                )
