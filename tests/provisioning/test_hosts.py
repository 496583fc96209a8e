"""A host that cannot be reached is one finding: whoever asks later is blocked at once."""

from __future__ import annotations

import pytest

from access.errors import AuthenticationError, Blocked, CommandTimeout, ConnectError, HostKeyError, LoginError
from access.host import CommandOutput
from provisioning.hosts import ASK_AGAIN_AFTER_S, Absence, AskedOnce, reached


class FakeHost:
    """A host that answers, or not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.name = "gpu-1"
        self.error = error
        self.asked = 0

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return CommandOutput(self.name, command, 0, "yes\n", "", 0.0)


class Run:
    """Checks of one run that ask one host."""

    def __init__(self, error: Exception | None = None) -> None:
        self.host = FakeHost(error)
        self.absences: dict[str, Absence] = {}
        self.now = 1000.0

    def check(self, name: str, judge: str = "") -> AskedOnce:
        return AskedOnce(self.host, self.absences, asker=name, judge=judge, clock=lambda: self.now)  # type: ignore[arg-type]


UNREACHABLE = {
    "no answer": ConnectError("cannot reach gpu-1: no answer in time", remedy="is it up?"),
    "refused": AuthenticationError("gpu-1 refused our key or user"),
    "another key": HostKeyError("the host key of gpu-1 has changed"),
}


@pytest.mark.parametrize("error", UNREACHABLE.values(), ids=UNREACHABLE)
def test_the_first_one_could_not_measure_and_the_rest_is_blocked(error: ConnectError):
    run = Run(error)

    with pytest.raises(type(error)):
        run.check("host.iommu.groups").run("true")
    for name in ("host.gpu.present", "host.iommu.groups", "host.vfio.bound"):
        with pytest.raises(Blocked, match=r"^host\.iommu\.groups: .*gpu-1"):
            run.check(name).run("lspci", as_root=True)

    assert run.host.asked == 1


def test_an_instance_has_a_check_that_says_whether_it_can_be_reached():
    """Whoever comes first waits for its verdict; it says no without asking again."""
    run = Run(UNREACHABLE["no answer"])

    with pytest.raises(Blocked, match=r"^instance\.server\.reachable: cannot reach gpu-1"):
        run.check("instance.gpu.exact", judge="instance.server.reachable").run("lspci")

    said = reached(run.check("instance.server.reachable", judge="instance.server.reachable"))
    assert "no answer in time" in said
    assert run.host.asked == 1


def test_that_check_can_come_first():
    run = Run(UNREACHABLE["no answer"])

    assert "no answer in time" in reached(run.check("instance.server.reachable", judge="instance.server.reachable"))
    with pytest.raises(Blocked, match=r"^instance\.server\.reachable"):
        run.check("instance.gpu.exact", judge="instance.server.reachable").run("lspci")


def test_another_host_key_is_no_finding_about_an_instance_whoever_asked_first():
    run = Run(UNREACHABLE["another key"])
    with pytest.raises(Blocked):
        run.check("instance.gpu.exact", judge="instance.server.reachable").run("lspci")

    with pytest.raises(HostKeyError):
        reached(run.check("instance.server.reachable", judge="instance.server.reachable"))


@pytest.mark.parametrize(
    "error",
    [LoginError("sudo gives no root"), CommandTimeout("still running", command="x", host="gpu-1")],
    ids=["no root", "a command that hangs"],
)
def test_a_host_that_is_there_is_asked_again(error: Exception):
    run = Run(error)
    for _ in range(2):
        with pytest.raises(type(error)):
            run.check("host.gpu.present").run("lspci", as_root=True)
    run.host.error = None

    assert run.check("host.gpu.present").run("lspci").stdout == "yes\n"


def test_a_host_that_comes_back_is_found_in_a_long_run():
    run = Run(UNREACHABLE["no answer"])
    with pytest.raises(ConnectError):
        run.check("host.iommu.groups").run("true")
    run.now += ASK_AGAIN_AFTER_S
    with pytest.raises(Blocked, match=r"^host\.iommu\.groups"):
        run.check("host.gpu.present").run("true")
    assert run.host.asked == 2
    run.host.error, run.now = None, run.now + ASK_AGAIN_AFTER_S

    assert run.check("host.gpu.present").run("true").exit_code == 0
    assert run.check("host.vfio.bound").run("true").exit_code == 0


def test_one_host_does_not_block_another():
    run = Run(UNREACHABLE["no answer"])
    with pytest.raises(ConnectError):
        run.check("host.iommu.groups").run("true")
    other = FakeHost()
    other.name = "gpu-2"

    asked = AskedOnce(other, run.absences, asker="host.iommu.groups")  # type: ignore[arg-type]

    assert asked.run("true").host == "gpu-2"
