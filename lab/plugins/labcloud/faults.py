"""Faults of Nova and libvirt that can be put into a lab: names in STATE/faults.json, e.g. ["claim_kept_after_revert"].

Read each time, so that a fault begins and ends without a restart. Each is a bug that Nova has had:

claim_kept_after_revert      a reverted resize keeps the new host's claim (bugs 1641750, 1879878)
claim_kept_after_failure     a spawn that failed keeps its claim when Nova tries another host (bug 1860555)
resize_by_the_old_request    a resize looks for the old flavor's devices (bug 1983753)
one_device_more              the domain gets a free device beside those that were asked for (bug 2098496)
evacuated_guest_stays        the old host keeps the domain of an evacuated guest (bugs 1703629, 1791075)
unshelved_with_old_device    an unshelved guest gets the device that it had before (bugs 1677621, 1851545)
suspend_keeps_the_device     suspend does not detach the device, and libvirt refuses (bug 1623089)
"""

import json

from nova import context, exception, objects
from nova.compute import resource_tracker, vm_states
from nova.pci import manager
from nova.pci import request as pci_request

from lab.hosts.hardware import sysfs


def active(paths):
    """Names of the faults that the lab has now."""
    file = paths.state / "faults.json"
    return set(json.loads(file.read_text())) if file.exists() else set()


def _has_living_instance(device):
    try:
        return bool(device.instance_uuid) and bool(
            objects.Instance.get_by_uuid(context.get_admin_context(), device.instance_uuid)
        )
    except exception.InstanceNotFound:
        return False


def install(paths):
    """Hook into Nova's resource tracker; without a fault it works as it is."""
    tracker = resource_tracker.ResourceTracker
    drop, clean, claim = tracker._drop_pci_devices, manager.PciDevTracker.clean_usage, tracker._move_claim
    kept = {"claim_kept_after_revert", "claim_kept_after_failure"}

    def clean_or_keep(self, *args):  # the audit would free it again while its instance lives
        keeps = kept & active(paths) and any(_has_living_instance(device) for device in self.pci_devs)
        return None if keeps else clean(self, *args)

    def drop_or_keep(self, instance, nodename, prefix):
        if prefix == "new_" and "claim_kept_after_revert" in active(paths):
            return None
        return drop(self, instance, nodename, prefix)

    def claim_by_request(self, ctxt, instance, new_flavor, *args, **kwargs):
        if "resize_by_the_old_request" not in active(paths):
            return claim(self, ctxt, instance, new_flavor, *args, **kwargs)
        wanted = pci_request.get_pci_requests_from_flavor
        pci_request.get_pci_requests_from_flavor = lambda flavor, **more: wanted(instance.flavor, **more)
        try:
            return claim(self, ctxt, instance, new_flavor, *args, **kwargs)
        finally:
            pci_request.get_pci_requests_from_flavor = wanted

    free = manager.PciDevTracker.free_instance

    def free_or_keep(self, *args):
        return None if "claim_kept_after_failure" in active(paths) else free(self, *args)

    manager.PciDevTracker.free_instance = free_or_keep
    tracker._drop_pci_devices = drop_or_keep
    tracker._move_claim = claim_by_request
    manager.PciDevTracker.clean_usage = clean_or_keep


def devices(driver, instance, addresses):
    """Devices that a domain gets when Nova claimed `addresses` for it."""
    faults = active(driver.paths)
    if "one_device_more" in faults and addresses:
        return [*addresses, *_free(driver, addresses)[:1]]
    if "unshelved_with_old_device" in faults and addresses and instance.vm_state == vm_states.SHELVED_OFFLOADED:
        return [card for card in _cards(driver) if card not in addresses][: len(addresses)] or addresses
    return addresses


def keeps_evacuated(paths):
    """Whether the old host keeps the domain of a guest that was evacuated."""
    return "evacuated_guest_stays" in active(paths)


def _cards(driver):
    """Addresses of the host's cards."""
    root = driver.directory.sys / "bus/pci/devices"
    return [path.name for path in sorted(root.iterdir()) if (path / "vendor").read_text().strip() == "0x10de"]


def _free(driver, taken):
    cards = _cards(driver)
    used = {address for domain in driver.domains.all() for address in domain.addresses}
    return [
        card for card in cards if card not in used | set(taken) and sysfs.driver_of(driver.directory.sys, card) is None
    ]


def refuse_suspend(paths):
    """libvirt's words for a domain that still has a host device."""
    if "suspend_keeps_the_device" in active(paths):
        raise exception.InternalError("Requested operation is not valid: cannot save domain with assigned host devices")
