"""Remove what the ledger names, and prove that it is gone by asking the cloud again."""

from __future__ import annotations

import shlex
from typing import Any

from openstack import exceptions as sdk

from access.errors import LedgerError, MeasurementError, ProvisioningError
from access.openstack_api import connect, connect_named, translated
from access.progress import Progress
from access.ssh import RemoteHost
from cloud_file.cloud import Cloud
from provisioning.ledger import Entry, Ledger
from provisioning.openstack import resources
from provisioning.openstack.stack import delete_stack, find
from provisioning.openstack.tenant import tenant_credentials
from provisioning.provision import _variables_of
from provisioning.tripleo.undercloud import Undercloud

STACK_TIMEOUT_S = 600.0
ORDER = (*resources.KINDS, "stack", "keypair", "flavor", "image", "undercloud-file")


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
        cleaner = _Cleaner(cloud, progress)
    except ProvisioningError:
        if not cloud.simulated:
            raise
        # a lab that was made anew has no overcloud yet: what the ledger names went with the old one
        for entry in entries:
            ledger.gone(entry)
        ledger.close()
        return entries
    gone, left = [], []
    for entry in sorted(entries, key=_turn):
        try:
            cleaner.remove(entry)
            if cleaner.exists(entry):
                raise ProvisioningError("it is still there")
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


def _turn(entry: Entry) -> tuple[bool, bool, int]:
    """What single tests made goes first: it stands on the tenant's networks and the image."""
    return entry.kind not in resources.KINDS, entry.owner != "tenant", ORDER.index(entry.kind)


class _Cleaner:
    """Connections of whoever owns what."""

    def __init__(self, cloud: Cloud, progress: Progress) -> None:
        self.cloud = cloud
        self.undercloud = RemoteHost("undercloud", cloud.undercloud) if cloud.undercloud else None
        if cloud.has_tripleo and self.undercloud is not None:
            variables = Undercloud(cloud, self.undercloud, progress).overcloud_credentials()
            self.admin = connect(variables)
        else:
            self.admin = connect_named(str(cloud.openstack.cloud))
            variables = _variables_of(self.admin)
        self.variables = variables
        self._tenant: Any = None

    def _connection(self, owner: str) -> Any:
        if owner != "tenant":
            return self.admin
        if self._tenant is None:
            self._tenant = connect(tenant_credentials(self.cloud, self.variables))
        return self._tenant

    def _tenant_is_gone(self) -> bool:
        """Without the tenant's project nothing of it can be there."""
        name = str(tenant_credentials(self.cloud, self.variables)["OS_PROJECT_NAME"])
        return self.admin.identity.find_project(name, ignore_missing=True) is None

    def remove(self, entry: Entry) -> None:
        """Remove one resource; absent is fine."""
        if entry.owner == "tenant" and self._tenant_is_gone():
            return
        if entry.kind in resources.KINDS:
            resources.remove(self.admin, entry.kind, entry.name)
            return
        with translated(f"remove {entry.kind} {entry.name}"):
            if entry.kind == "undercloud-file":
                self._on_undercloud(f"rm -f {shlex.quote(entry.name)}")
                return
            connection = self._connection(entry.owner)
            if entry.kind == "stack":
                found = find(connection, entry.name)
                if found is not None:
                    delete_stack(connection, found.id, timeout_s=STACK_TIMEOUT_S)
            elif entry.kind == "keypair":
                connection.compute.delete_keypair(entry.name, ignore_missing=True)
            elif entry.kind == "flavor":
                found = connection.compute.find_flavor(entry.name, ignore_missing=True)
                if found is not None:
                    connection.compute.delete_flavor(found)
            elif entry.kind == "image":
                for found in list(connection.image.images(name=entry.name)):
                    connection.image.delete_image(found)

    def exists(self, entry: Entry) -> bool:
        """Whether the cloud, asked anew, still has it."""
        if entry.owner == "tenant" and self._tenant_is_gone():
            return False
        if entry.kind in resources.KINDS:
            return resources.exists(self.admin, entry.kind, entry.name)
        if entry.kind == "undercloud-file":
            return "yes" in self._on_undercloud(f"[ -e {shlex.quote(entry.name)} ] && echo yes || echo no")
        connection = self._connection(entry.owner)
        try:
            if entry.kind == "stack":
                return find(connection, entry.name) is not None
            if entry.kind == "keypair":
                return connection.compute.find_keypair(entry.name, ignore_missing=True) is not None
            if entry.kind == "flavor":
                return connection.compute.find_flavor(entry.name, ignore_missing=True) is not None
            return any(True for _ in connection.image.images(name=entry.name))
        except sdk.SDKException as error:
            raise ProvisioningError(f"cannot look for {entry.kind} {entry.name}: {error}") from error

    def _on_undercloud(self, command: str) -> str:
        if self.undercloud is None:
            raise ProvisioningError("there is no undercloud any more in the cloud file")
        return self.undercloud.run(command).stdout
