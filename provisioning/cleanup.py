"""Removes what the ledger names, and checks that it is gone by asking the cloud again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keystoneauth1.exceptions
import requests.exceptions
from openstack import exceptions as sdk

from access.errors import AcceptanceError, LedgerError, ProvisioningError
from access.openstack_api import connect
from access.progress import Progress
from cloud_file.cloud import Cloud
from provisioning.administrator import Administrator, become_administrator
from provisioning.ledger import Entry, Ledger
from provisioning.openstack import resources
from provisioning.openstack.people import find_project
from provisioning.openstack.tenant import tenant_credentials
from provisioning.reaching import undercloud_of
from provisioning.scenario.own_resources import NAME_MARK

FOREIGN = (
    sdk.SDKException,
    keystoneauth1.exceptions.ClientException,
    requests.exceptions.RequestException,
)
"""Of a cloud that is lost halfway: an API may fail in a wait or a discovery that nobody translates."""


def cleanup(cloud: Cloud, progress: Progress) -> list[Entry]:
    """Remove every open entry; returns those that are gone now.

    Raises:
        LedgerError: something is still there; names it and why.
        ConnectError, ProvisioningError: nobody can log in, so nothing was removed.
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
    left = remove_all(owners, ledger, entries, progress)
    if left:
        raise LedgerError(
            "not everything is gone:\n  " + "\n  ".join(f"{what}: {why}" for what, why in left.items()),
            remedy="see the reasons, then --cleanup again",
        )
    ledger.close()
    return in_order(entries)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """The entries as they are removed."""
    return sorted(entries, key=lambda entry: resources.removal_order(entry.kind, entry.owner))


def remove_all(owners: Owners, ledger: Ledger, entries: Iterable[Entry], progress: Progress) -> dict[str, str]:
    """Remove entries in their order; returns what is left, by kind and name, and why."""
    left: dict[str, str] = {}
    for entry in in_order(entries):
        what = f"{entry.kind} {entry.name}"
        try:
            _remove(owners, entry)
            ledger.gone(entry)
            progress.detail(f"gone: {what}")
        except LedgerError:
            raise  # its file takes nothing: what is removed would not be known
        except (AcceptanceError, *FOREIGN) as error:
            left[what] = str(error) or type(error).__name__
    return left


def leftovers(ledger: Ledger) -> list[Entry]:
    """What tests of ended runs made and did not give back.

    Only for who holds the cloud's lock: a test that runs has entries, too.
    """
    return [entry for entry in ledger.open_entries() if _is_of_a_test(entry)]


def _is_of_a_test(entry: Entry) -> bool:
    return entry.kind in resources.KINDS_OF_TESTS or f"-{NAME_MARK}" in entry.name


def _remove(owners: Owners, entry: Entry) -> None:
    """Remove one resource. It is fine if there is none; nothing of a tenant remains without its project."""
    if entry.owner == "tenant" and owners.tenant_is_gone():
        return
    resources.remove(owners.connection(entry.owner), entry.kind, entry.name)


class Owners:
    """The connections of the owners of resources: admin, tenant and undercloud."""

    def __init__(self, cloud: Cloud, administrator: Administrator | None = None) -> None:
        self.cloud = cloud
        self.undercloud = undercloud_of(cloud)
        self.admin = administrator or become_administrator(cloud, self.undercloud)
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
        if self.cloud.tenant is not None and self.cloud.tenant.existing:
            return False
        return find_project(self.admin.connection, self.cloud) is None
