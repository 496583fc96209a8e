"""Two instances after each other on the same card: what the second one finds of the first. Made once for a run."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from access.errors import ProvisioningError
from access.openstack_api import translated
from access.progress import Progress
from access.ssh import RemoteHost
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from probes import residue
from probes.residue import CardState
from provisioning.environment import Environment
from provisioning.ledger import Ledger
from provisioning.openstack import guests
from provisioning.openstack.tenant import make_keypair
from provisioning.reaching import ways_of


@dataclass(frozen=True)
class Traces:
    """What was written, and what was found by the next instance."""

    card: str
    """UUID of the physical card."""
    same_card: bool
    written_then_found: bool
    """The writer found its whole pattern: looking for it works."""
    found_by_next: int
    """Words of 32 bits."""
    settings_before: tuple[str, ...]
    settings_changed: bool
    settings_next: tuple[str, ...]
    vbios_before: str
    vbios_next: str


class TracesMaker:
    """Makes both instances as the tenant's user, with CUDA as the main job installs it."""

    def __init__(self, cloud: Cloud, environment: Environment, tenant: Any, token: str) -> None:
        self.cloud = cloud
        self.environment = environment
        self.tenant = tenant
        self.token = token
        self.ledger = Ledger(cloud.runs / "ledger.jsonl")
        self.key_file = make_keypair(cloud, tenant, self.ledger)
        self.flavor = min(cloud.flavors, key=lambda flavor: sum(flavor.aliases.values()))

    def measure(self) -> Traces:
        """First instance: write, change; second: look."""
        pattern = uuid.uuid4().hex[:8]
        with self._instance("first") as first:
            before = residue.state(first)
            written = residue.write(first, pattern)
            residue.limit_power(first, before)
            changed = residue.state(first)
        with self._instance("next") as following:
            after = residue.state(following)
            found = residue.count(following, pattern)
        return _traces(before, changed, after, written.words == written.found, found.found)

    @contextmanager
    def _instance(self, name: str) -> Iterator[RemoteHost]:
        """A tenant's stack with CUDA and our program, deleted afterwards."""
        declared = DeclaredGuest(name=f"lc-{self.token}-{name}", flavor=self.flavor.name)
        full_name = self.cloud.prefixed(declared.name)
        try:
            guests.make_guest(self.cloud, declared, self.tenant, self._parameters(), self.ledger, Progress(quiet=True))
            guest = self._login(full_name)
            for file, text in residue.sources().items():
                guest.write_file(f"{residue.FOLDER}/{file}", text)
            residue.build(guest)
            yield guest
            guest.close()
        finally:
            self._delete(full_name)

    def _login(self, name: str) -> RemoteHost:
        server = guests.find_server(self.tenant, name)
        address = guests.address_of(self.cloud, self.tenant, server.id) if server is not None else None
        if server is None or address is None:
            raise ProvisioningError(f"{name} has no address")
        login = guests.endpoint(self.cloud, self.tenant, name, server.id, address, self.key_file)
        return ways_of(self.cloud).open(name, login)

    def _parameters(self) -> dict[str, str]:
        networks = self.cloud.networks
        external = networks.external if networks is not None else None
        with translated("find the tenant's networks"):
            internal = self.tenant.network.find_network(self.cloud.tenant_network, ignore_missing=False)
            name = external.name if external is not None and external.existing else self.cloud.prefixed("external")
            outside = self.tenant.network.find_network(name, ignore_missing=False) if external is not None else None
        return {
            "image": str(self.environment.image_id),
            "flavor": self.environment.flavor_ids[self.flavor.name],
            "key_name": self.cloud.prefixed("key"),
            "internal_network": str(internal.id),
            "internal_subnet": str(next(iter(internal.subnet_ids or ()), "")),
            "external_network": str(outside.id) if outside is not None else "",
        }

    def _delete(self, name: str) -> None:
        guests.remove_guest(self.tenant, name, self.ledger)


def _traces(before: CardState, changed: CardState, after: CardState, complete: bool, found: int) -> Traces:
    return Traces(
        card=before.uuid,
        same_card=before.uuid == after.uuid,
        written_then_found=complete,
        found_by_next=found,
        settings_before=before.settings,
        settings_changed=changed.settings != before.settings,
        settings_next=after.settings,
        vbios_before=before.vbios,
        vbios_next=after.vbios,
    )


@contextmanager
def once_a_run(folder: Path) -> Iterator[dict[str, Any]]:
    """What another worker of this run has measured already; empty for the first one, which fills it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    file = folder / "traces.json"
    with (folder / "traces.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        data = known if known.get("run") == run else {"run": run}
        yield data
        file.write_text(json.dumps(data), encoding="utf-8")


def to_data(traces: Traces) -> dict[str, Any]:
    """For other workers."""
    return asdict(traces)


def from_data(data: dict[str, Any]) -> Traces:
    """From `to_data`."""
    fields = {field.name: data[field.name] for field in dataclasses.fields(Traces)}
    tuples = {name: tuple(fields[name]) for name in ("settings_before", "settings_next")}
    return Traces(**{**fields, **tuples})
