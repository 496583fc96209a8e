"""Instances: a tenant stack for each, and the way in with a host key that was learned from the console."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import jinja2

from access.endpoint import SshEndpoint
from access.errors import ConnectError, ProvisioningError
from access.openstack_api import translated
from access.progress import Progress
from access.waiting import wait_for
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from probes.openstack import console
from provisioning.ledger import Ledger
from provisioning.openstack import direct_guests
from provisioning.openstack.direct_guests import DirectGuest
from provisioning.openstack.orchestration import why_not_heat
from provisioning.openstack.stack import TEMPLATES, delete_stack, find, make_stack

HOST_KEYS = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.S)
HOST_KEY = re.compile(r"(ssh-ed25519|ecdsa-sha2-\S+|ssh-rsa) ([A-Za-z0-9+/=]+)")
CONSOLE_TIMEOUT_S = 300.0
"""A machine shows its host keys by then, if it does at all."""
DELETE_TIMEOUT_S = 600.0


def cuda_script(cloud: Cloud, *, on_console: bool = False) -> str:
    """The user-data script that installs CUDA; it tells Heat, or the console, how that ended."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701  a shell script
    environment.filters["quote"] = shlex.quote
    template = environment.from_string((TEMPLATES / "install-cuda.sh.j2").read_text(encoding="utf-8"))
    if cloud.cuda is None or cloud.image is None:
        raise ProvisioningError("the cloud file describes no CUDA or no image")
    words = {"cuda": cloud.cuda, "samples": cloud.cuda.sample_names, "user": cloud.image.ssh_user}
    return template.render(on_console=on_console, **words)


def _remove_a_stack_without_its_server(tenant: Any, name: str, progress: Progress) -> None:
    """Heat calls a stack complete for ever, also when somebody deleted its instance."""
    found = find(tenant, name)
    if found is not None and find_server(tenant, name) is None:
        progress.detail(f"{name}: the stack has lost its instance; it is made again")
        delete_stack(tenant, found.id, timeout_s=DELETE_TIMEOUT_S)


def make_guest(
    cloud: Cloud,
    guest: DeclaredGuest,
    tenant: Any,
    parameters: dict[str, str],
    ledger: Ledger,
    progress: Progress,
) -> None:
    """An instance with CUDA, by Heat or by the services' own APIs.

    Raises:
        ProvisioningError: it failed; the instance may be there nevertheless.
    """
    if cloud.cuda is None:
        raise ProvisioningError("the cloud file describes no CUDA")
    name = cloud.prefixed(guest.name)
    timeout_s = cloud.cuda.timeout_min * 60.0
    if why_not_heat(cloud, tenant):
        direct = DirectGuest(cloud, guest, tenant, parameters, ledger, progress)
        direct.make(cuda_script(cloud, on_console=True), timeout_s)
        return
    _remove_a_stack_without_its_server(tenant, name, progress)
    values = {**parameters, "name": name, "cuda_script": cuda_script(cloud), "timeout_s": int(timeout_s)}
    make_stack(
        tenant,
        ledger,
        progress,
        name=name,
        template="tenant.yaml",
        parameters=values,
        timeout_s=timeout_s + 300,
        owner="tenant",
    )


def remove_guest(tenant: Any, name: str, ledger: Ledger) -> None:
    """Remove an instance that `make_guest` made, by its name in the cloud; the ledger tells how it was made.

    Raises:
        ProvisioningError: something of it stays.
    """
    for entry in ledger.open_entries():
        if entry.kind == "stack" and entry.name == name:
            found = find(tenant, name)
            if found is not None:
                delete_stack(tenant, found.id, timeout_s=DELETE_TIMEOUT_S)
            ledger.gone(entry)
    direct_guests.remove_guest(tenant, ledger, name)


def find_server(tenant: Any, name: str) -> Any | None:
    """The instance of that name, also of a stack that failed."""
    with translated(f"find the instance {name}"):
        return tenant.compute.find_server(name, ignore_missing=True, details=True)


def address_of(cloud: Cloud, tenant: Any, server_id: str) -> str | None:
    """The address at which the instance is reached: its floating IP, or its own; None when it has none."""
    with translated("find the instance's address"):
        for port in tenant.network.ports(device_id=server_id):
            if cloud.has_floating_ips:
                found = [str(address.floating_ip_address) for address in tenant.network.ips(port_id=port.id)]
            else:
                found = [str(fixed["ip_address"]) for fixed in port.fixed_ips or ()]
            if found:
                return min(found, key=lambda address: ":" in address)  # IPv4 before IPv6
    return None


def endpoint(
    cloud: Cloud,
    tenant: Any,
    name: str,
    server_id: str,
    address: str,
    key_file: Path,
    *,
    timeout_s: float = CONSOLE_TIMEOUT_S,
) -> SshEndpoint:
    """How to log in to an instance, its host key learned from the console log that the cloud shows its owner.

    `timeout_s` is how long it may take to show the key: 0 looks once, where the instance had its time.

    Raises:
        ConnectError: the console shows no host key.
    """
    if cloud.image is None:
        raise ProvisioningError("the cloud file describes no image")

    def look() -> list[tuple[str, str]]:
        block = HOST_KEYS.search(console.read(tenant, server_id))
        return HOST_KEY.findall(block[1]) if block else []

    keys = wait_for(
        f"the host keys on the console of {name}",
        look,
        bool,
        timeout_s=timeout_s,
        describe=lambda found: f"{len(found)} keys",
    )
    if not keys:
        raise ConnectError(f"the console of {name} shows no host keys", remedy="does the image run cloud-init?")
    port = cloud.image.ssh_port
    shown = address if port == 22 else f"[{address}]:{port}"
    known_hosts = cloud.runs / f"known_hosts-{name}"
    known_hosts.write_text("".join(f"{shown} {kind} {key}\n" for kind, key in keys), encoding="utf-8")
    return SshEndpoint(
        address=address,
        port=port,
        user=cloud.image.ssh_user,
        key_file=key_file,
        known_hosts=known_hosts,
        bastions=cloud.guest_access.bastions,
    )
