"""A driver that hangs is asked once, shortly; what needs it is blocked, what does not is not."""

from __future__ import annotations

import pytest
from driver_first import DriverFirst

from access.errors import Blocked, CommandTimeout
from access.host import CommandOutput
from probes.nvidia_smi import failures, query


class Instance:
    """Its programs that need the driver do not end; the others answer."""

    name = "one-card"

    def __init__(self, *, hangs: bool = True, has_module: bool = True) -> None:
        self.hangs = hangs
        self.has_module = has_module
        self.waited_s: list[float] = []
        self.commands: list[str] = []

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        self.commands.append(command)
        if self.hangs and ("nvidia-smi" in command or "CUDA" in command):
            self.waited_s.append(timeout_s)
            raise CommandTimeout(f"still running after {timeout_s:g} s", command=command, host=self.name)
        return CommandOutput(self.name, command, 0 if self.has_module else 1, "ok\n", "", 0.1)


def test_the_first_that_needs_a_hanging_driver_waits_shortly_and_all_others_not_at_all() -> None:
    """Whatever they ask, in whatever test."""
    instance, hanging = Instance(), {}
    for command in ("CUDA_DEVICE_ORDER=PCI_BUS_ID deviceQuery", "nvidia-smi -q", "nvidia-smi topo -m"):
        with pytest.raises(Blocked, match=r"instance\.driver\.tools"):
            DriverFirst(instance, hanging).run(command, timeout_s=300)

    assert instance.waited_s == [failures.FIRST_TIMEOUT_S]


def test_the_check_of_the_tool_itself_has_its_finding() -> None:
    """Also where another one waited before."""
    instance, hanging = Instance(), {}
    with pytest.raises(Blocked):
        query.read(DriverFirst(instance, hanging))
    found = failures.read(DriverFirst(instance, hanging))

    assert found is not None
    assert found.kind == "hangs"
    assert len(instance.waited_s) == 1


def test_what_needs_no_driver_is_asked() -> None:
    """The kernel log tells why it hangs."""
    instance = Instance()
    host = DriverFirst(instance, {"one-card": "nvidia-smi"})

    assert host.run("dmesg").stdout == "ok\n"
    assert host.name == "one-card"


def test_a_driver_that_answers_is_asked_once_more_in_all() -> None:
    """And not at all where there is no module."""
    instance, hanging = Instance(hangs=False), {}
    for _ in range(3):
        DriverFirst(instance, hanging).run("nvidia-smi -q")
    without = Instance(hangs=False, has_module=False)
    DriverFirst(without, {}).run("nvidia-smi -q")

    assert instance.commands.count("nvidia-smi") == 1
    assert "nvidia-smi" not in without.commands


def test_a_measurement_that_takes_too_long_is_no_hanging_driver() -> None:
    """Only the short question tells."""
    instance, hanging = Instance(hangs=False), {}
    host = DriverFirst(instance, hanging)
    host.run("nvidia-smi")
    instance.hangs = True
    with pytest.raises(CommandTimeout):
        host.run("CUDA_DEVICE_ORDER=PCI_BUS_ID nvbandwidth", timeout_s=300)

    assert hanging == {"one-card": ""}
