"""Faults of Nova itself that can be put into a lab: names in STATE/faults.json, e.g. ["claim_kept_after_revert"].

Read each time, so that a fault begins and ends without a restart.
"""

import json

from nova import context, exception, objects
from nova.compute import resource_tracker
from nova.pci import manager


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
    drop, clean = tracker._drop_pci_devices, manager.PciDevTracker.clean_usage

    def clean_or_keep(self, *args):  # the audit would free it again while its instance lives
        keeps = "claim_kept_after_revert" in active(paths) and any(
            _has_living_instance(device) for device in self.pci_devs
        )
        return None if keeps else clean(self, *args)

    def drop_or_keep(self, instance, nodename, prefix):
        if prefix == "new_" and "claim_kept_after_revert" in active(paths):
            return None
        return drop(self, instance, nodename, prefix)

    tracker._drop_pci_devices = drop_or_keep
    manager.PciDevTracker.clean_usage = clean_or_keep
