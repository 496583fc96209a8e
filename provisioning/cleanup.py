"""Removes what the ledger names, and checks that it is gone by asking the cloud again."""

from __future__ import annotations

from typing import Any

from access.errors import LedgerError, MeasurementError, ProvisioningError
from access.openstack_api import connect, translated
from access.progress import Progress
from access.ssh import RemoteHost
from cloud_file.cloud import Cloud
from provisioning.administrator import become_administrator
from provisioning.ledger import Entry, Ledger
from provisioning.openstack import resources
from provisioning.openstack.tenant import tenant_credentials


def cleanup(cloud: Cloud, progress: Progress) -> list[Entry]:
    """Remove every open entry; returns those that are gone now.

    Raises:
        LedgerError: something is still there; names it and why.
    """
    ledger = Ledger(cloud.runs / "ledger.jsonl")
    entries = ledger.open_entries()
    if not entries:
        progress.say("the ledger is empty: nothing to clean")
        return []
    try:
        owners = Owners(cloud)
    except ProvisioningError:
        if not cloud.simulated:
            raise
        # a lab that was made again has no overcloud yet: what the ledger names went with the old one
        for entry in entries:
            ledger.gone(entry)
        ledger.close()
        return entries
    gone, left = [], []
    for entry in sorted(entries, key=lambda entry: resources.removal_order(entry.kind, entry.owner)):
        try:
            _remove(owners, entry)
            ledger.gone(entry)
            gone.append(entry)
            progress.detail(f"gone: {entry.kind} {entry.name}")
        except (ProvisioningError, MeasurementError) as error:
            left.append(f"{entry.kind} {entry.name}: {error}")
    if left:
        raise LedgerError(
            "not everything is gone:\n  " + "\n  ".join(left), remedy="see the reasons, then --cleanup again"
        )
    ledger.close()
    return gone


def _remove(owners: Owners, entry: Entry) -> None:
    """Remove one resource. It is fine if there is none; nothing of a tenant remains without its project."""
    if entry.owner == "tenant" and owners.tenant_is_gone():
        return
    resources.remove(owners.connection(entry.owner), entry.kind, entry.name)


class Owners:
    """The connections of the owners of resources: admin, tenant and undercloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.undercloud = RemoteHost("undercloud", cloud.undercloud) if cloud.undercloud else None
        self.admin = become_administrator(cloud, self.undercloud)
        self._tenant: Any = None

    def connection(self, owner: str) -> Any:
        """The connection that can see an owner's resources.

        Raises:
            ProvisioningError: the cloud file names no such owner any more.
        """
        if owner == "undercloud":
            if self.undercloud is None:
                raise ProvisioningError("the cloud file names no undercloud any more")
            return self.undercloud
        if owner != "tenant":
            return self.admin.connection
        if self._tenant is None:
            self._tenant = connect(tenant_credentials(self.cloud, self.admin.variables))
        return self._tenant

    def tenant_is_gone(self) -> bool:
        """Whether the tenant's project does not exist."""
        name = str(tenant_credentials(self.cloud, self.admin.variables)["OS_PROJECT_NAME"])
        with translated(f"find the project {name}"):
            return self.admin.connection.identity.find_project(name, ignore_missing=True) is None
