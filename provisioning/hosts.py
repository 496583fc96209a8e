"""Open connections to the hosts and instances of a cloud, by name."""

from __future__ import annotations

from access.endpoint import SshEndpoint
from access.errors import Blocked, CommandTimeout, ConnectError, HostKeyError
from access.host import CommandOutput, Host
from access.local_host import LocalHost
from access.ssh import RemoteHost
from cloud_file.cloud import Cloud
from cloud_file.kind_host import is_local
from cloud_file.sections.hosts import DeclaredHost
from provisioning.environment import Environment, Guest

Machine = RemoteHost | LocalHost


class Hosts:
    """Open connections by name."""

    def __init__(self, cloud: Cloud, environment: Environment) -> None:
        self.cloud = cloud
        self.environment = environment
        self.open: dict[str, Machine] = {}
        self.answers: dict[tuple[str, str, bool], CommandOutput] = {}
        """What `ReadOnce` knows, by host, command and whether root asked."""

    def undercloud(self) -> RemoteHost:
        """The undercloud."""
        if self.cloud.undercloud is None:
            raise Blocked("the cloud file names no undercloud")
        return self._host("undercloud", self.cloud.undercloud)

    def machine(self, declared: DeclaredHost) -> Machine:
        """A host of kind host: this machine, or one over SSH."""
        if declared.address and is_local(declared.address):
            return self.open.setdefault(declared.name, LocalHost(declared.name))
        return self.node(declared)

    def node(self, declared: DeclaredHost) -> RemoteHost:
        """An overcloud host; its address from the cloud file or from the undercloud."""
        known = next((host.address for host in self.cloud.hosts if host.name == declared.name), None)
        address = declared.address or known or self.environment.node_addresses.get(declared.name)
        if address is None:
            failures = "; ".join(self.environment.failures.values()) or "the undercloud does not know it"
            raise Blocked(f"{declared.name} has no address: {failures}")
        access = self.cloud.overcloud_access
        endpoint = SshEndpoint(address=address, **access.model_dump())
        return self._host(declared.name, endpoint, self.undercloud() if access.via_undercloud else None)

    def guest(self, guest: Guest) -> Machine:
        """An instance, or for kind host the host itself."""
        if not self.cloud.has_openstack:
            return self.machine(self.cloud.host(guest.name))
        endpoint = guest.ssh()
        if endpoint is None:
            why = guest.failure or "; ".join(self.environment.failures.values()) or "it was not made"
            raise Blocked(f"instance.stack.complete: the instance {guest.name} cannot be reached: {why}")
        return self._host(guest.name, endpoint)

    def _host(self, name: str, endpoint: SshEndpoint, via: RemoteHost | None = None) -> RemoteHost:
        known = self.open.get(name)
        if not isinstance(known, RemoteHost):
            known = self.open[name] = RemoteHost(name, endpoint, via=via)
        return known


def reached(host: Host) -> str:
    """Why a host takes no login; "" when it does. A changed host key is no matter of the cloud and raised."""
    try:
        host.run("true")
    except HostKeyError:
        raise
    except (ConnectError, CommandTimeout) as error:
        return str(error)
    return ""
