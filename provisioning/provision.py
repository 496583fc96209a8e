"""Everything from a cloud file to instances with CUDA. Each step looks first and makes what is missing.

A step that fails does not end the run: what was made so far can be checked, and the checks name the cause. The failure
is kept in `Environment.failures`; the steps after it are left out.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

from access.errors import AuthenticationError, MeasurementError, ProvisioningError
from access.openstack_api import connect
from access.progress import Progress
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from provisioning.administrator import Administrator, become_administrator
from provisioning.before_deploy import stop_on_mistakes
from provisioning.cleanup import Owners, leftovers, remove_all
from provisioning.cycling import started_again
from provisioning.environment import Environment, Guest
from provisioning.ledger import Ledger
from provisioning.openstack import guests as guest_steps
from provisioning.openstack import tenant as tenant_steps
from provisioning.openstack.direct import DirectTenant
from provisioning.openstack.image import make_image
from provisioning.openstack.orchestration import why_not_heat
from provisioning.reaching import undercloud_of
from provisioning.tripleo.undercloud import Undercloud

AT_ONCE = 8
"""Instances that are made side by side: the cloud's scheduler and APIs are those of others, too."""


class Provisioning:
    """One run over a cloud."""

    def __init__(self, cloud: Cloud, progress: Progress) -> None:
        self.cloud = cloud
        self.progress = progress
        self.ledger = Ledger(cloud.runs / "ledger.jsonl")
        self.environment = Environment()
        self.undercloud_host = undercloud_of(cloud)
        self.admin_variables: dict[str, str] = {}
        self.admin: Any = None
        self.tenant: Any = None
        self.tenant_variables: Mapping[str, str] = {}
        self.admin_outputs: dict[str, Any] = {}

    def run(self, *, guests: bool = True) -> Environment:
        """All steps, or all but the guests; see the module's text for what happens when one fails."""
        self.cloud.runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        steps = [
            ("credentials", self._credentials),
            ("image", self._image),
            ("tenant", self._tenant),
            *([("guests", self._guests)] if guests else []),
        ]
        if self.cloud.has_tripleo:
            steps = [
                ("nodes", self._nodes),
                ("puppet_modules", self._puppet_modules),
                ("deploy", self._deploy),
                *steps,
            ]
        for name, step in [("preflight", self._preflight), *steps]:
            try:
                with self.progress.step(name):
                    step()
            except (ProvisioningError, MeasurementError) as error:
                self.progress.detail(f"{name} failed: {error}")
                self._set(failures={**self.environment.failures, name: str(error)})
                break
        self._set(seconds=dict(self.progress.seconds))
        if self.undercloud_host:
            self.undercloud_host.close()
        return self.environment

    def _set(self, **changes: Any) -> None:
        self.environment = dataclasses.replace(self.environment, **changes)

    def _undercloud(self) -> Undercloud:
        if self.undercloud_host is None:
            raise ProvisioningError("the cloud file names no undercloud")
        return Undercloud(self.cloud, self.undercloud_host, self.progress)

    def _preflight(self) -> None:
        stop_on_mistakes(self.cloud, self.progress)

    def _nodes(self) -> None:
        endpoint = self.cloud.undercloud
        self._set(undercloud=endpoint.model_dump(mode="json") if endpoint else None)
        self._undercloud().register_nodes()

    def _puppet_modules(self) -> None:
        self._undercloud().upload_puppet_modules()

    def _deploy(self) -> None:
        self._undercloud().deploy()

    def _credentials(self) -> None:
        if self.cloud.has_tripleo:
            self._set(node_addresses=self._undercloud().node_addresses())
        administrator = become_administrator(self.cloud, self.undercloud_host)
        self.admin, self.admin_variables = administrator.connection, administrator.variables
        self._store_credentials({"admin": self.admin_variables})
        self._set(left_over=_give_back(self.cloud, administrator, self.progress))

    def _store_credentials(self, variables: dict[str, dict[str, str]]) -> None:
        path = self.cloud.runs / "credentials.json"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(variables, stream)
        self._set(credentials_file=str(path))

    def _image(self) -> None:
        image_id = make_image(self.cloud, self.admin, self.undercloud_host, self.ledger, self.progress)
        self._set(image_id=image_id)

    def _tenant(self) -> None:
        reason = why_not_heat(self.cloud, self.admin)
        if reason:
            self.progress.detail(f"{reason}: the resources are made through the services' own APIs")
            direct = DirectTenant(self.cloud, self.admin, self.admin_variables, self.ledger)
            self.admin_outputs = direct.make()
        else:
            self.admin_outputs = tenant_steps.make_admin_stack(self.cloud, self.admin, self.ledger, self.progress)
        project_id = str(self.admin_outputs["project_id"])
        flavor_ids = tenant_steps.make_flavors(self.cloud, self.admin, project_id, self.ledger)
        variables = tenant_steps.tenant_credentials(self.cloud, self.admin_variables)
        self.tenant_variables, self.tenant = variables, connect(variables)
        tenant_steps.share_image(self.admin, self.tenant, str(self.environment.image_id), project_id, self.ledger)
        self._store_credentials({"admin": self.admin_variables, "tenant": variables})
        self._set(flavor_ids=flavor_ids, project_id=project_id)

    def _guests(self) -> None:
        """The declared instances in their order; those of one flavor that follow each other are made side by side."""
        key_file = tenant_steps.make_keypair(self.cloud, self.tenant, self.ledger)
        self._give_back_others()
        made: list[Guest] = []
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for _, alike in groupby(self.cloud.guests, key=lambda declared: declared.flavor):
                made += threads.map(lambda declared: self._made(declared, key_file), alike)
        self._set(guests=tuple(made))

    def _give_back_others(self) -> None:
        """Instances that an earlier run kept and this one does not declare have cards that it needs."""
        declared = {self.cloud.prefixed(guest.name) for guest in self.cloud.guests}
        for entry in self.ledger.open_entries():
            if entry.kind in ("stack", "guest") and entry.owner == "tenant" and entry.name not in declared:
                self.progress.detail(f"{entry.name}: kept by an earlier run and not declared by this one, given back")
                guest_steps.remove_guest(self.tenant, entry.name, self.ledger)

    def _made(self, declared: DeclaredGuest, key_file: Path) -> Guest:
        parameters = {
            "image": str(self.environment.image_id),
            "flavor": self.environment.flavor_ids[declared.flavor],
            "key_name": self.cloud.prefixed("key"),
            **{
                key: str(self.admin_outputs[f"{key}_id"])
                for key in ("internal_network", "internal_subnet", "external_network")
            },
        }
        return self._guest(declared, parameters, key_file)

    def _guest(self, declared: DeclaredGuest, parameters: dict[str, str], key_file: Path) -> Guest:
        guest, name = Guest(declared.name, declared.flavor), self.cloud.prefixed(declared.name)
        tenant = connect(self.tenant_variables)  # one for each thread
        started = time.monotonic()
        try:
            guest_steps.make_guest(self.cloud, declared, tenant, parameters, self.ledger, self.progress)
        except (ProvisioningError, AuthenticationError) as error:  # also of a right that the tenant's user lacks
            self.progress.detail(str(error))
            guest = dataclasses.replace(guest, failure=str(error))
        server = guest_steps.find_server(tenant, name)
        if server is None:
            return guest
        server = started_again(self.cloud.runs, tenant, server, self.progress)
        guest = dataclasses.replace(guest, server_id=str(server.id))
        address = guest_steps.address_of(self.cloud, tenant, server.id)
        if address is None or server.status != "ACTIVE":
            return guest
        try:
            waits_s = 0.0 if guest.failure and self._had_its_time(started) else guest_steps.CONSOLE_TIMEOUT_S
            login = guest_steps.endpoint(self.cloud, tenant, name, server.id, address, key_file, timeout_s=waits_s)
        except (ProvisioningError, MeasurementError) as error:
            return dataclasses.replace(guest, failure=guest.failure or str(error))
        return dataclasses.replace(guest, endpoint=login.model_dump(mode="json"))

    def _had_its_time(self, started: float) -> bool:
        """Whether the installation's whole time is over: what has not shown its host keys until then never will."""
        return self.cloud.cuda is not None and time.monotonic() - started > self.cloud.cuda.timeout_min * 60


def provision(cloud: Cloud, progress: Progress, *, guests: bool = True) -> Environment:
    """Provision a cloud, with or without the declared guests, and return what is there."""
    return Provisioning(cloud, progress).run(guests=guests)


def give_back_leftovers(cloud: Cloud, admin_variables: Mapping[str, str], progress: Progress) -> tuple[str, ...]:
    """Remove what tests of ended runs left: servers that nobody looks at have cards. Returns what stays, and why.

    Only for who holds the cloud's lock.
    """
    _forget_leases(cloud)
    if not leftovers(Ledger(cloud.runs / "ledger.jsonl")):
        return ()
    try:
        administrator = Administrator(connect(admin_variables), dict(admin_variables))
    except (ProvisioningError, MeasurementError, KeyError) as error:
        return (f"resources of ended runs, since nobody can log in ({error})",)
    return _give_back(cloud, administrator, progress)


def _give_back(cloud: Cloud, administrator: Administrator, progress: Progress) -> tuple[str, ...]:
    _forget_leases(cloud)
    ledger = Ledger(cloud.runs / "ledger.jsonl")
    entries = leftovers(ledger)
    if not entries:
        return ()
    progress.detail(f"giving back what tests of an ended run left: {len(entries)} resources")
    left = remove_all(Owners(cloud, administrator), ledger, entries, progress)
    for what, why in left.items():
        progress.detail(f"left by an ended run, and cannot be removed: {what}: {why}")
    return tuple(left)


def _forget_leases(cloud: Cloud) -> None:
    """Leases and measurements belong to processes of an ended run, whose numbers others may have by now."""
    for name in ("cards.json", "traces.json"):
        (cloud.runs / name).unlink(missing_ok=True)
