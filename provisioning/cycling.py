"""--cycles: all cards are given back and taken again, round by round, with the kernel's log of their hosts watched.

An instance that is stopped gives its devices back to the host, which resets them; started, it takes the same ones.
Nova's claim stays, so that each card goes through each round. Rounds are common to all instances: what a log says new
after a round happened in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from access.errors import AcceptanceError, Blocked, MeasurementError, ProvisioningError
from access.host import Host
from access.openstack_api import connect
from access.progress import Progress
from access.waiting import wait_for
from cloud_file.cloud import Cloud
from probes import vfio_log
from probes.openstack import nova
from provisioning.environment import Cycles, CycleTrouble, Environment, Guest
from provisioning.hosts import Hosts, reached
from provisioning.openstack import instances

AT_ONCE = 8
"""Instances that are stopped or started side by side: the cloud's APIs are those of others, too."""
ANSWERS_S = 900.0
"""So long an instance may take to answer after the last round."""
FILE = "cycling.json"
MOST_CYCLES = 10_000


@dataclass
class _Server:
    """A GPU host whose log is watched."""

    name: str
    host: Host
    resets: set[str] = field(default_factory=set)
    """Devices that its log had lost before."""
    asleep: set[str] = field(default_factory=set)

    def news(self) -> vfio_log.VfioLog:
        """What its log says now and did not before."""
        log = vfio_log.read(self.host)
        fresh = replace(
            log,
            failed_resets=tuple(device for device in log.failed_resets if device not in self.resets),
            asleep=tuple(device for device in log.asleep if device not in self.asleep),
        )
        self.resets.update(log.failed_resets)
        self.asleep.update(log.asleep)
        return fresh


class Cycling:
    """All rounds of one run."""

    def __init__(self, cloud: Cloud, environment: Environment, hosts: Hosts, progress: Progress) -> None:
        self._cloud = cloud
        self._environment = environment
        self._hosts = hosts
        self._progress = progress
        self._tenant = environment.credentials("tenant")
        self._guests = [guest for guest in environment.guests if guest.server_id and not guest.failure]
        self._places: dict[str, str] = {}

    def run(self, count: int) -> Cycles:
        """Make `count` rounds, fewer where something goes wrong.

        Raises:
            Blocked: there is no instance, or a host's log cannot be read.
            MeasurementError: as `Host.run`.
        """
        if not self._guests or not self._tenant:
            raise Blocked("there is no instance whose cards could be given back")
        servers = self._servers()
        _remember(self._cloud.runs, [str(guest.server_id) for guest in self._guests])
        found = Cycles(count, 0, ())
        for number in range(1, count + 1):
            troubles = (*self._round(number), *self._logged(servers, number))
            found = replace(found, made=number, troubles=troubles)
            self._progress.detail(f"{number} of {count} cycles of all cards")
            if troubles:
                break
        self._wait_for_answers()
        _remember(self._cloud.runs, [])
        return found

    def _servers(self) -> list[_Server]:
        """The hosts of the instances; their logs' past is known from now on."""
        admin = connect(self._environment.credentials("admin"))
        for guest in self._guests:
            host = nova.server(admin, str(guest.server_id)).host
            self._places[guest.name] = str(host or "").split(".")[0]
        names = sorted(set(self._places.values()) - {""})
        servers = [_Server(name, self._hosts.node(self._cloud.host(name))) for name in names]
        if not servers:
            raise Blocked("Nova tells no host of any instance, so that no log could be watched")
        for server in servers:
            server.news()
        return servers

    def _round(self, number: int) -> list[CycleTrouble]:
        """Stop all, then start all of them; those that do not stop are not started."""
        stopped = self._all(self._guests, "stop_server", "SHUTOFF")
        able = [guest for guest in self._guests if not stopped[guest.name]]
        started = self._all(able, "start_server", "ACTIVE")
        return [
            CycleTrouble(self._places.get(name, ""), number, "instance", f"{name}: {said}")
            for name, said in (stopped | started).items()
            if said
        ]

    def _all(self, guests: Sequence[Guest], what: str, wanted: str) -> dict[str, str]:
        """Why each instance did not come to a state; "" where it did."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            said = threads.map(lambda guest: self._act(guest, what, wanted), guests)
            return dict(zip((guest.name for guest in guests), said, strict=True))

    def _act(self, guest: Guest, what: str, wanted: str) -> str:
        connection = connect(self._tenant)  # one for each thread
        return act(connection, str(guest.server_id), what, wanted)

    def _logged(self, servers: Sequence[_Server], number: int) -> list[CycleTrouble]:
        found = []
        for server in servers:
            news = server.news()
            found += [CycleTrouble(server.name, number, "reset", device) for device in news.failed_resets]
            found += [CycleTrouble(server.name, number, "asleep", device) for device in news.asleep]
        return found

    def _wait_for_answers(self) -> None:
        """What comes next logs in to the instances; whether that is possible is a check's question."""

        def silent() -> list[str]:
            return [guest.name for guest in self._guests if not self._answers(guest)]

        try:
            wait_for("the instances to answer", silent, lambda names: not names, timeout_s=ANSWERS_S)
        except ProvisioningError as error:
            self._progress.detail(str(error))

    def _answers(self, guest: Guest) -> bool:
        """Also one that was not started does: nobody waits for it."""
        try:
            if instances.state_of(connect(self._tenant), str(guest.server_id)).status != "ACTIVE":
                return True
            return reached(self._hosts.guest(guest)) == ""
        except (AcceptanceError, Blocked):
            return True


def act(connection: Any, server_id: str, what: str, wanted: str) -> str:
    """Stop or start an instance and wait for its end; why that was not possible, "" if it was."""
    try:
        instances.carry_out(connection, server_id, what, lambda: getattr(connection.compute, what)(server_id), wanted)
    except (ProvisioningError, MeasurementError) as error:
        return str(error)
    return ""


def cycle(
    cloud: Cloud,
    environment: Environment,
    count: int,
    progress: Progress,
    *,
    connections: Callable[[Cloud, Environment], Hosts] = Hosts,
) -> Environment:
    """The environment with what the rounds came to."""
    hosts = connections(cloud, environment)
    try:
        with progress.step("cycles"):
            found = Cycling(cloud, environment, hosts, progress).run(count)
    except (MeasurementError, Blocked) as error:
        found = Cycles(count, 0, (), str(error))
    finally:
        hosts.close()
    return replace(environment, cycles=found)


def _remember(runs: Path, servers: Sequence[str]) -> None:
    """Which instances may be shut off because a run was killed within a round."""
    (runs / FILE).write_text(json.dumps(list(servers)), encoding="utf-8")


def was_cycled(runs: Path, server_id: str) -> bool:
    """Whether an instance was within a round when its run ended."""
    file = runs / FILE
    return file.exists() and server_id in json.loads(file.read_text(encoding="utf-8"))


def started_again(runs: Path, connection: Any, server: Any, progress: Progress) -> Any:
    """An instance that a killed run left shut off within a round, started; any other one as it is."""
    if server.status != "SHUTOFF" or not was_cycled(runs, str(server.id)):
        return server
    progress.detail(f"{server.name}: a run was killed while its cards were given back, it is started again")
    act(connection, str(server.id), "start_server", "ACTIVE")
    return instances.state_of(connection, str(server.id))
