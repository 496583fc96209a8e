"""Removes what a test has made."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from access.errors import LedgerError, MeasurementError, ProvisioningError
from access.openstack_api import translated
from access.waiting import wait_for
from provisioning.ledger import Entry
from provisioning.openstack import instances, resources
from provisioning.scenario.own_resources import OwnResources

AUDIT_TIMEOUT_S = 150.0


class Removal(OwnResources):
    """Removes everything and asks the cloud whether it is gone."""

    def give_back(self) -> None:
        """Remove all that was made, instances first, and check that it is gone.

        Raises:
            LedgerError: something is left; the ledger keeps it.
        """
        first, *others = resources.KINDS_OF_TESTS  # a host that is forced down keeps its instances from being deleted
        entries = {(entry.kind, entry.name): entry for entry in self.ledger.open_entries()}
        left = self._remove(first, entries, {})
        servers = self._delete_servers()
        left += [problem for kind in others for problem in self._remove(kind, entries, servers)]
        if left:
            raise LedgerError("not everything is gone:\n  " + "\n  ".join(left), remedy="--cleanup tries again")
        self.wait_until_free(*servers.values())

    def _remove(self, kind: str, entries: Mapping[tuple[str, str], Entry], deleted: Mapping[str, str]) -> list[str]:
        """Remove all of a kind; returns what is left, and why.

        `deleted`: ids of instances whose deletion was requested.
        """
        left = []
        for name in [name for made, name in self.made if made == kind]:
            try:
                if name in deleted and kind == "server":
                    instances.wait_until_gone(self.admin, deleted[name], timeout_s=resources.GONE_TIMEOUT_S)
                else:
                    resources.remove(self.admin, kind, name)
                self.ledger.gone(entries[kind, name])
            except (ProvisioningError, MeasurementError) as error:
                left.append(f"{kind} {name}: {error}")
        return left

    def _delete_servers(self) -> dict[str, str]:
        """Request the deletion of all instances at once; returns the ids by name of those that Nova deletes.

        What goes wrong here is no error yet: the others are tried again, one by one.
        """
        mine = {name for kind, name in self.made if kind == "server"}
        deleted: dict[str, str] = {}
        servers = []
        with contextlib.suppress(ProvisioningError, MeasurementError), translated("list the instances of the test"):
            found = self.admin.compute.servers(details=False, all_projects=True) if mine else ()
            servers = [item for item in found if item.name in mine]
        for server in servers:
            with contextlib.suppress(ProvisioningError, MeasurementError), translated(f"delete {server.name}"):
                self.admin.compute.delete_server(server, ignore_missing=True)
                deleted[str(server.name)] = str(server.id)
        return deleted

    def wait_until_free(self, *server_ids: str) -> None:
        """Wait until Nova has no card claimed for deleted instances.

        Nova frees the card of an instance that was moved since the last audit (update_resources_interval, a minute)
        with the next one only: until then the instance is not among those that the resource tracker follows.

        Raises:
            WaitTimeout: a card stays claimed.
        """

        def claimed() -> list[str]:
            claims = self.views.claims() or ()
            return [f"{item.host} {item.address}" for item in claims if item.instance_id in server_ids]

        wait_for("Nova to free the cards", claimed, lambda left: not left, timeout_s=AUDIT_TIMEOUT_S, interval_s=0.3)
