"""What one lab is: its network, its secrets, its release. Made once, read by every part of the lab."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError
from lab.paths import REPOSITORY, LabPaths, called

SSH_PORT = 2222
FIRST_NETWORK, LAST_NETWORK = 100, 250
KEYSTONE_PORT = 5000
METAL = "metal"
SECRET_NAMES = ("admin", "service", "heat_domain_admin", "undercloud")
RELEASES = REPOSITORY / "lab" / "undercloud" / "releases"
LAYOUTS = REPOSITORY / "lab" / "hosts" / "layouts"


@dataclass(frozen=True)
class LabState:
    """A lab that exists on disk."""

    paths: LabPaths
    network: str
    """First two octets, e.g. "127.100"."""
    declaration: dict[str, Any]
    """Content of lab.yaml."""

    @property
    def release(self) -> str:
        """TripleO release, e.g. "ocata"."""
        return str(self.declaration["release"])

    @property
    def layout(self) -> str | None:
        """What installed the hosts if it is not TripleO: a file of lab/hosts/layouts."""
        return self.declaration.get("layout")

    @cached_property
    def release_data(self) -> dict[str, Any]:
        """The data file of the TripleO release, or of the layout; `services` says how Nova's services run."""
        file = LAYOUTS / f"{self.layout}.yaml" if self.layout else RELEASES / f"{self.release}.yaml"
        data = dict(yaml.safe_load(file.read_text()))
        return data if self.layout else {**data, "services": _of_tripleo(data)}

    @cached_property
    def host_addresses(self) -> dict[str, str]:
        """Address of each declared host."""
        return dict(_addresses(self.network, self.declaration["hosts"]))

    def hosts(self, role: str) -> list[str]:
        """Names of the declared hosts of a role: Undercloud, Controller, Compute …"""
        return [str(host["name"]) for host in self.declaration["hosts"] if host["role"] == role]

    def declared(self, name: str) -> dict[str, Any]:
        """The declaration of a host."""
        return next(host for host in self.declaration["hosts"] if host["name"] == name)

    @property
    def computes(self) -> list[str]:
        """Names of all emulated hosts that run nova-compute."""
        control = ("Undercloud", "Controller")
        return [str(host["name"]) for host in self.emulated if host["role"] not in control]

    @property
    def emulated(self) -> list[dict[str, Any]]:
        """Declarations of the hosts whose kernel is simulated."""
        return [host for host in self.declaration.get("hosts", ()) if not is_metal(host)]

    @property
    def metal(self) -> list[str]:
        """Names of the hosts that are virtual machines with a kernel of their own (lab/metal)."""
        return [str(host["name"]) for host in self.declaration.get("hosts", ()) if is_metal(host)]

    @property
    def controller(self) -> str:
        """The host that the control plane runs on."""
        return self.hosts("Controller")[0]

    def api_url(self, port: int) -> str:
        """Where the controller answers on a port, e.g. http://127.100.0.10:9292."""
        return f"http://{self.host_addresses[self.controller]}:{port}"

    @property
    def identity_url(self) -> str:
        """Where Keystone answers, without a version."""
        return self.api_url(KEYSTONE_PORT)

    def secret(self, name: str) -> str:
        """A password of this lab."""
        return (self.paths.secrets / name).read_text().strip()

    @property
    def marker(self) -> str:
        """Part of the command line of every process of this lab."""
        return self.paths.sockets.name

    def connection(self) -> dict[str, Any]:
        """What a client needs to reach the lab."""
        undercloud = self.hosts("Undercloud")[0]
        return {
            "name": self.paths.name,
            "simulated": True,
            "release": None if self.layout else self.release,
            "network": self.network,
            "undercloud": self.host_addresses[undercloud],
            "ssh_port": SSH_PORT,
            "ssh_user": "stack",
            "ssh_key": str(self.paths.secrets / "id_ed25519"),
            "known_hosts": str(self.paths.state / "known_hosts"),
            "hosts": self.host_addresses,
            "external_network": {
                "physical_network": "datacentre",
                "cidr": f"{self.network}.200.0/24",
                "gateway": f"{self.network}.200.1",
                "pool": [f"{self.network}.200.10", f"{self.network}.200.200"],
            },
        }


def is_metal(host: dict[str, Any]) -> bool:
    """Whether a declared host is a virtual machine with a kernel of its own."""
    return host.get("tier") == METAL


def _of_tripleo(data: dict[str, Any]) -> dict[str, Any]:
    """How a release of TripleO runs Nova's services: all of a host from one directory, under their names."""
    engine, found = data["containers"], {}
    for key, path in data["nova_conf"].items():
        container, unit = f"nova_{key}", f"openstack-nova-{key}"
        found[f"nova-{key}"] = {
            "unit": f"tripleo_{container}" if engine == "podman" else unit,
            "container": container if engine else None,
            "command": ["/usr/bin/python3", f"/usr/bin/nova-{key}"],
            "copies": {path: "/etc/nova/nova.conf"} if engine else {},
        }
    return found


def _addresses(network: str, hosts: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    computes = 0
    controllers = 0
    for host in hosts:
        if host["role"] == "Undercloud":
            yield host["name"], f"{network}.0.2"
        elif host["role"] == "Controller":
            yield host["name"], f"{network}.0.{10 + controllers}"
            controllers += 1
        else:
            yield host["name"], f"{network}.{computes // 200}.{20 + computes % 200}"
            computes += 1


def load(paths: LabPaths) -> LabState:
    """The lab of these paths.

    Raises:
        LabError: there is none.
    """
    file = paths.state / "lab.json"
    if not file.exists():
        raise LabError(f"there is no lab called {paths.name}; make it with: {called(f'--name {paths.name} up')}")
    data = json.loads(file.read_text())
    return LabState(paths, data["network"], data["declaration"])


def create(paths: LabPaths, declaration: dict[str, Any]) -> LabState:
    """A new lab on the first free loopback network, with secrets of its own."""
    for directory in (paths.state, paths.etc, paths.databases, paths.logs, paths.secrets, paths.machines):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
    for name in SECRET_NAMES:
        write_private(paths.secrets / name, secrets.token_urlsafe(24))
    key = paths.secrets / "id_ed25519"
    key.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "gpu-lab", "-f", key], check=True)
    state = LabState(paths, _free_network(paths), declaration)
    write_private(paths.state / "lab.json", json.dumps({"network": state.network, "declaration": declaration}))
    return state


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, completely or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    fresh.replace(path)


def _free_network(paths: LabPaths) -> str:
    """Claim the first loopback network that no lab has and no process listens on."""
    claims = Path(tempfile.gettempdir()) / f"gpulab-networks-{os.getuid()}"
    claims.mkdir(mode=0o700, exist_ok=True)
    # Without the lock two labs could both find a claim stale, and the slower one would take the faster one's network.
    with (claims / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for number in range(FIRST_NETWORK, LAST_NETWORK + 1):
            network = f"127.{number}"
            if not _is_claimed(claims / network, paths) and _is_unused(network):
                (claims / network).write_text(str(paths.state))
                return network
    raise LabError(f"no free loopback network between 127.{FIRST_NETWORK} and 127.{LAST_NETWORK}; destroy a lab first")


def _is_claimed(file: Path, paths: LabPaths) -> bool:
    """Whether another lab has a network; a claim of a deleted lab does not count."""
    try:
        owner = Path(file.read_text())
    except OSError:
        return False
    return owner != paths.state and owner.exists()


def _is_unused(network: str) -> bool:
    return _is_free(f"{network}.0.10", KEYSTONE_PORT) and _is_free(f"{network}.0.2", SSH_PORT)


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
