"""Hosts are asked side by side before their checks, and nothing about verdicts changes."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from access.errors import AuthenticationError, Blocked, CommandError, ConnectError
from access.host import CommandOutput, output_of
from access.local_host import LocalHost
from access.questions import Question
from cloud_file.cloud import Cloud
from cloud_file.sections.hosts import DeclaredHost
from provisioning.environment import Environment
from provisioning.gathering import Plan, gather
from provisioning.hosts import ASK_AGAIN_AFTER_S, Absence, AskedOnce, Hosts, ReadOnce

NAMES = ("gpu-1", "gpu-2", "gpu-3")
PLAN = Plan((Question("echo first"), Question("echo second", as_root=True), Question("false")))


class Machine:
    """A host that answers as this machine does, waits for others, or cannot be reached."""

    def __init__(self, name: str, error: Exception | None = None, meeting: threading.Barrier | None = None) -> None:
        self.name = name
        self.error = error
        self.asked: list[str] = []
        self.on_command: Any = None
        self._meeting = meeting

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        self.asked.append(command)
        if self._meeting is not None:
            self._meeting.wait(timeout=30)
        if self.error is not None:
            raise self.error
        output = LocalHost(self.name).run(command)
        if self.on_command is not None:
            self.on_command(output)
        return output

    def close(self) -> None:
        """Nothing is open."""


class TestHosts(Hosts):
    """Hosts whose connections are prepared."""

    __test__ = False

    def __init__(self, *machines: Machine) -> None:
        names = {machine.name: {"name": machine.name, "address": "192.0.2.1"} for machine in machines}
        declared = tuple(DeclaredHost(**host, role="compute") for host in names.values())
        super().__init__(Cloud.model_construct(name="test", kind="existing", hosts=declared), Environment())
        self.machines = {machine.name: machine for machine in machines}

    def looked_at(self, declared: DeclaredHost) -> Any:
        return self.machines[declared.name]

    def gather(self, plan: Plan = PLAN) -> None:
        gather(self, dict.fromkeys(self.machines, plan), self.cloud.hosts)

    def asked_by(self, name: str, check: str) -> ReadOnce:
        host: Any = self.machines[name]
        return ReadOnce(AskedOnce(host, self.absences, asker=check), self.answers)


def test_hosts_are_asked_side_by_side():
    """Each waits for all others: asked one after another they would wait for ever."""
    meeting = threading.Barrier(len(NAMES))
    hosts = TestHosts(*(Machine(name, meeting=meeting) for name in NAMES))

    hosts.gather()

    for name in NAMES:
        assert len(hosts.machines[name].asked) == 1
        assert hosts.asked_by(name, "host.gpu.present").run("echo first").stdout == "first\n"
        assert hosts.asked_by(name, "host.gpu.present").run("echo second", as_root=True).stdout == "second\n"
        assert len(hosts.machines[name].asked) == 1


def test_what_failed_and_what_is_in_no_plan_is_asked_when_it_is_needed():
    hosts = TestHosts(Machine("gpu-1"))
    hosts.gather()

    host = hosts.asked_by("gpu-1", "host.gpu.present")

    assert host.run("false").exit_code == 1
    assert host.run("echo third").stdout == "third\n"
    assert hosts.machines["gpu-1"].asked[1:] == ["false", "echo third"]


def test_what_is_gathered_is_evidence_of_no_check_until_one_asks():
    machine, noted = Machine("gpu-1"), []
    machine.on_command = noted.append
    hosts = TestHosts(machine)

    hosts.gather()

    assert (noted, machine.on_command) == ([], noted.append)
    ReadOnce(machine, hosts.answers, noted.append).run("echo first")
    assert [output.command for output in noted] == ["echo first"]


@pytest.mark.parametrize("error", [ConnectError("cannot reach gpu-2"), AuthenticationError("gpu-2 refused our key")])
def test_an_unreachable_host_is_one_finding_and_the_rest_is_blocked(error: ConnectError):
    """As without gathering: the first check that asks tells it, and nobody waits for the host once more."""
    hosts = TestHosts(Machine("gpu-1"), Machine("gpu-2", error))
    hosts.gather()

    with pytest.raises(type(error)):
        hosts.asked_by("gpu-2", "host.iommu.firmware").run("echo first")
    for command in ("echo first", "echo third"):
        with pytest.raises(Blocked, match=r"^host\.iommu\.firmware: .*gpu-2"):
            hosts.asked_by("gpu-2", "host.gpu.present").run(command)

    assert len(hosts.machines["gpu-2"].asked) == 1
    assert hosts.asked_by("gpu-1", "host.gpu.present").run("echo first").stdout == "first\n"


def test_a_host_that_another_check_missed_before_is_asked_no_second_time():
    hosts = TestHosts(Machine("gpu-1", ConnectError("cannot reach gpu-1")))
    hosts.gather()
    with pytest.raises(ConnectError):
        hosts.asked_by("gpu-1", "host.iommu.firmware").run("echo first")

    hosts.gather()

    assert len(hosts.machines["gpu-1"].asked) == 1
    with pytest.raises(Blocked, match=r"^host\.iommu\.firmware"):
        hosts.asked_by("gpu-1", "host.gpu.present").run("echo first")


def test_a_host_that_came_back_is_gathered():
    hosts = TestHosts(Machine("gpu-1"))
    hosts.absences["gpu-1"] = Absence(ConnectError("cannot reach gpu-1"), "host.iommu.firmware", -ASK_AGAIN_AFTER_S)

    hosts.gather()

    assert hosts.asked_by("gpu-1", "host.gpu.present").run("echo first").stdout == "first\n"
    assert not hosts.absences


def test_what_is_known_is_not_asked_again():
    hosts = TestHosts(Machine("gpu-1"))
    hosts.gather()
    asked = len(hosts.machines["gpu-1"].asked)

    hosts.gather(Plan(PLAN.questions[:2]))

    assert len(hosts.machines["gpu-1"].asked) == asked


def test_follow_ups_ask_on_by_the_first_answers_and_fail_alone():
    def asks_on(host: Any) -> None:
        output_of(host, f"echo {output_of(host, 'echo first').stdout.strip()}-third")

    def fails(host: Any) -> None:
        raise CommandError("no such file", command="cat", host=host.name)

    hosts = TestHosts(Machine("gpu-1"))

    hosts.gather(PLAN + Plan((), (fails, asks_on)))

    assert hosts.answers["gpu-1", "echo first-third", False].stdout == "first-third\n"
