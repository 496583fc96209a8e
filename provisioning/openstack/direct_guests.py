"""An instance through the services' own APIs: what Heat's template makes, and what says that CUDA is there."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from access.errors import ProvisioningError
from access.openstack_api import translated
from access.progress import Progress
from access.waiting import wait_for
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from probes.openstack import console
from provisioning.ledger import Ledger
from provisioning.openstack import instances, resources
from provisioning.openstack.orchestration import has_service

SSH_PORT = 22
COMPLETE = {"gpu_acceptance": "complete"}
"""Metadata of an instance whose installation has ended well: a later run takes it up."""
TOLD = re.compile(r"GPUACC-CUDA (SUCCESS|FAILURE) ([^\r\n]*)")
"""What install-cuda.sh prints on the console where there is no Heat to tell."""
KINDS = ("guest", "floating-ip", "guest-port", "security-group")
"""All that one instance has, in the order of removal; each by the instance's name."""


@dataclass(frozen=True)
class DirectGuest:
    """Makes one instance as the tenant's user."""

    cloud: Cloud
    guest: DeclaredGuest
    tenant: Any
    parameters: dict[str, str]
    ledger: Ledger
    progress: Progress

    @property
    def name(self) -> str:
        """Its name in the cloud."""
        return self.cloud.prefixed(self.guest.name)

    def make(self, script: str, timeout_s: float) -> None:
        """The instance with its port, its floating IP where it gets one, and CUDA on it.

        Raises:
            ProvisioningError: the cloud refuses something, or the installation says that it failed.
            WaitTimeout: nothing was said in time.
        """
        with translated(f"find the instance {self.name}"):
            found = self.tenant.compute.find_server(self.name, ignore_missing=True, details=True)
        if found is not None and found.status == "ACTIVE" and COMPLETE.items() <= dict(found.metadata or {}).items():
            return
        self._check_volumes()
        remove_guest(self.tenant, self.ledger, self.name)
        port_id = self._port()
        server_id = self._server(port_id, script)
        if self.cloud.has_floating_ips:
            self._floating_ip(port_id)
        self.progress.detail(f"{self.name}: asked for")
        instances.wait_for_status(self.tenant, server_id, "ACTIVE")
        self.progress.detail(f"{self.name}: ACTIVE")
        self._wait_for_cuda(server_id, timeout_s)
        with translated(f"mark the instance {self.name}"):
            self.tenant.compute.set_server_metadata(server_id, **COMPLETE)
        self.progress.detail(f"{self.name}: complete")

    def _check_volumes(self) -> None:
        if self.guest.volume_gb and not has_service(self.tenant, "block-storage"):
            raise ProvisioningError(
                f"{self.name} boots from a volume, but the catalog has no block storage (Cinder)",
                remedy="leave volume_gb out: the instance then boots from its image on the compute's disk",
            )

    def _recorded(self, kind: str, create: Callable[[], Any]) -> Any:
        with translated(f"make the {kind} {self.name}"):
            return self.ledger.making(kind, self.name, create, owner="tenant")

    def _port(self) -> str:
        network_id, subnet_id = self.parameters["internal_network"], self.parameters["internal_subnet"]
        with translated("look at the instances' network"):
            filters = self.tenant.network.get_network(network_id).is_port_security_enabled is not False
        groups = [self._security_group()] if filters else []  # without port security Neutron refuses a group
        given = {"fixed_ips": [{"subnet_id": subnet_id}]} if subnet_id else {}
        port = self._recorded(
            "guest-port",
            lambda: self.tenant.network.create_port(
                network_id=network_id, name=self.name, security_group_ids=groups, **given
            ),
        )
        return str(port.id)

    def _security_group(self) -> str:
        network = self.tenant.network
        group = self._recorded(
            "security-group", lambda: network.create_security_group(name=self.name, description="Ping and SSH")
        )
        image_port = self.cloud.image.ssh_port if self.cloud.image else SSH_PORT
        rules: list[dict[str, Any]] = [{"protocol": "icmp"}]
        rules += [
            {"protocol": "tcp", "port_range_min": port, "port_range_max": port} for port in {SSH_PORT, image_port}
        ]
        with translated(f"open the security group {self.name}"):
            for rule in rules:
                network.create_security_group_rule(security_group_id=group.id, direction="ingress", **rule)
        return str(group.id)

    def _server(self, port_id: str, script: str) -> str:
        body = server_request(self.guest, self.name, self.parameters, port_id, script)
        server = self._recorded("guest", lambda: self.tenant.compute.create_server(**body))
        return str(server.id)

    def _floating_ip(self, port_id: str) -> None:
        external_id = self.parameters.get("external_network")
        if not external_id:
            raise ProvisioningError("floating IPs come from networks.external, which the cloud file does not name")
        self._recorded(
            "floating-ip",
            lambda: self.tenant.network.create_ip(
                floating_network_id=external_id, port_id=port_id, description=self.name
            ),
        )

    def _wait_for_cuda(self, server_id: str, timeout_s: float) -> None:
        def look() -> tuple[str, str] | None:
            return told(console.read(self.tenant, server_id))

        said = wait_for(
            f"{self.name} to say on its console that CUDA is there",
            look,
            lambda found: found is not None,
            timeout_s=timeout_s,
            describe=lambda found: " ".join(found) if found else "nothing said yet",
        )
        if said is None or said[0] != "SUCCESS":
            reason = said[1] if said else ""
            raise ProvisioningError(
                f"the installation on {self.name} failed: {reason}", remedy="see /var/log/install-cuda.log there"
            )


def told(text: str) -> tuple[str, str] | None:
    """What the installation said last on a console: its outcome and the reason; None if nothing yet."""
    found = TOLD.findall(text)
    return found[-1] if found else None


def server_request(
    guest: DeclaredGuest, name: str, parameters: dict[str, str], port_id: str, script: str
) -> dict[str, Any]:
    """What Nova is asked for, as arguments of create_server."""
    body: dict[str, Any] = {
        "name": name,
        "flavor_id": parameters["flavor"],
        "key_name": parameters["key_name"],
        "networks": [{"port": port_id}],
        "user_data": base64.b64encode(script.encode()).decode(),
    }
    if guest.availability_zone:
        body["availability_zone"] = guest.availability_zone
    if guest.volume_gb is None:
        return body | {"image_id": parameters["image"]}
    volume = {
        "boot_index": 0,
        "source_type": "image",
        "uuid": parameters["image"],
        "destination_type": "volume",
        "volume_size": guest.volume_gb,
        "delete_on_termination": True,
    }
    return body | {"block_device_mapping": [volume]}


def remove_guest(tenant: Any, ledger: Ledger, name: str) -> None:
    """Remove what the ledger names of an instance, and see that it is gone.

    Raises:
        ProvisioningError: something stays.
    """
    entries = {entry.kind: entry for entry in ledger.open_entries() if entry.name == name and entry.owner == "tenant"}
    for kind in KINDS:
        if kind in entries:
            resources.remove(tenant, kind, name)
            ledger.gone(entries[kind])
