"""Open connections to the hosts and instances of a cloud, by name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from access.endpoint import SshEndpoint
from access.errors import Blocked, CommandTimeout, ConnectError, HostKeyError, LoginError
from access.host import CommandOutput, Host
from access.local_host import LocalHost
from access.ssh import RemoteHost
from cloud_file.cloud import Cloud
from cloud_file.kind_host import is_local
from cloud_file.sections.hosts import DeclaredHost
from provisioning.environment import Environment, Guest
from provisioning.reaching import ways_of

Machine = RemoteHost | LocalHost
ASK_AGAIN_AFTER_S = 300.0
"""A host may have been rebooted: in a long run it is tried again, and costs the rest of a timeout each time."""


class Unreachable(Blocked):
    """A host that another check found unreachable: nobody waits for it once more."""

    def __init__(self, error: ConnectError, found_by: str) -> None:
        super().__init__(f"{found_by}: {error}")
        self.error = error


@dataclass
class Absence:
    """What the first one learned who asked a host in vain."""

    error: ConnectError
    found_by: str
    """Check that waits for no other: it says that the host cannot be reached; "" until one has asked."""
    at: float
    """time.monotonic() of the last attempt."""


class AskedOnce:
    """A host that is asked in vain once: whoever comes later is blocked at once by who asked first."""

    def __init__(
        self,
        host: Machine,
        absences: dict[str, Absence],
        *,
        asker: str,
        judge: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._absences = absences
        self._asker = asker
        self._judge = judge or asker
        self._clock = clock

    @property
    def name(self) -> str:
        """The host's name in the cloud file."""
        return self._host.name

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        """As the host itself does.

        Raises:
            Unreachable: another check asked in vain.
        """
        absence = self._absences.get(self.name)
        is_fresh = absence is not None and self._clock() - absence.at < ASK_AGAIN_AFTER_S
        if absence is not None and is_fresh and absence.found_by:
            raise Unreachable(absence.error, absence.found_by)
        try:
            if absence is not None and is_fresh:  # nobody has told it yet
                raise absence.error
            answer = self._host.run(command, timeout_s=timeout_s, as_root=as_root)
        except LoginError:
            raise  # it is there, and other commands may be answered
        except ConnectError as error:
            found_by = (absence.found_by if absence is not None else "") or self._judge
            is_first = absence is None or not absence.found_by
            self._absences[self.name] = Absence(error, found_by, absence.at if absence and is_fresh else self._clock())
            if is_first and self._judge == self._asker:
                raise
            raise Unreachable(error, found_by) from error
        self._absences.pop(self.name, None)
        return answer


class ReadOnce:
    """A host that is only looked at: the same question is answered from the first answer.

    A dozen checks read the PCI devices; asked once, they also judge the same moment. `on_known` is given each answer
    that was there already.
    """

    def __init__(
        self,
        host: Host,
        answers: dict[tuple[str, str, bool], CommandOutput],
        on_known: Callable[[CommandOutput], object] | None = None,
    ) -> None:
        self._host = host
        self._answers = answers
        self._on_known = on_known

    @property
    def name(self) -> str:
        """The host's name in the cloud file."""
        return self._host.name

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        """As the host itself does; what failed is asked again."""
        question = (self.name, command, as_root)
        known = self._answers.get(question)
        if known is not None:
            if self._on_known is not None:
                self._on_known(known)
            return known
        answer = self._host.run(command, timeout_s=timeout_s, as_root=as_root)
        if answer.exit_code == 0:
            self._answers[question] = answer
        return answer


class Hosts:
    """Open connections by name."""

    def __init__(self, cloud: Cloud, environment: Environment) -> None:
        self.cloud = cloud
        self.environment = environment
        self.ways = ways_of(cloud)
        self.open: dict[str, Machine] = {}
        self.answers: dict[tuple[str, str, bool], CommandOutput] = {}
        """What `ReadOnce` knows, by host, command and whether root asked."""
        self.absences: dict[str, Absence] = {}
        """Hosts that were asked in vain, by name."""
        self._lock = threading.Lock()

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
        endpoint = SshEndpoint(address=address, **access.model_dump(exclude_unset=True, exclude_none=True))
        via = self.undercloud() if access.via_undercloud else None
        return self._host(declared.name, endpoint, via, default_user=access.user)

    def guest(self, guest: Guest) -> Machine:
        """An instance, or for kind host the host itself."""
        if not self.cloud.has_openstack:
            return self.machine(self.cloud.host(guest.name))
        endpoint = guest.ssh()
        if endpoint is None:
            why = guest.failure or "; ".join(self.environment.failures.values()) or "it was not made"
            raise Blocked(f"instance.stack.complete: the instance {guest.name} cannot be reached: {why}")
        return self._host(guest.name, endpoint)

    def _host(
        self, name: str, endpoint: SshEndpoint, via: RemoteHost | None = None, default_user: str = ""
    ) -> RemoteHost:
        known = self.open.get(name)
        if isinstance(known, RemoteHost):
            return known
        made = self.ways.open(name, endpoint, via=via, default_user=default_user)
        with self._lock:  # several may have made one side by side, and none of them is connected yet
            known = self.open.get(name)
            if not isinstance(known, RemoteHost):
                known = self.open[name] = made
        return known

    def looked_at(self, declared: DeclaredHost) -> Machine:
        """A declared host, whatever the kind of the cloud."""
        return self.node(declared) if self.cloud.has_openstack else self.machine(declared)

    def close(self) -> None:
        """End all connections."""
        for host in self.open.values():
            host.close()
        self.ways.close()


def reached(host: Host) -> str:
    """Why a host takes no login; "" when it does. A changed host key is no matter of the cloud and raised."""
    try:
        host.run("true")
    except HostKeyError:
        raise
    except Unreachable as blocked:
        if isinstance(blocked.error, HostKeyError):
            raise blocked.error from blocked
        return str(blocked.error)
    except (ConnectError, CommandTimeout) as error:
        return str(error)
    return ""
