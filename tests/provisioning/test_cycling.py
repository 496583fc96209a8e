"""All cards are given back and taken again: which round lost a card is told, and a killed run leaves none shut off."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from access.host import CommandOutput
from access.progress import Progress
from cloud_file.cloud import Cloud
from cloud_file.loading import load
from provisioning import cycling
from provisioning.cycling import cycle, started_again
from provisioning.environment import Environment, Guest
from provisioning.openstack import instances

LOST = "vfio-pci 0000:04:00.0: not ready 65535ms after FLR; giving up\n"
ASLEEP = "vfio-pci 0000:84:00.0: Unable to change power state from D3cold to D0, device inaccessible\n"


class Nova:
    """Instances that stop and start, and the logs of their hosts."""

    def __init__(self) -> None:
        self.status = {"one": "ACTIVE", "two": "ACTIVE"}
        self.rounds = 0
        self.logs = {"compute-0": "[ 1.0] boot\n", "compute-1": f"[ 2.0] {LOST}"}
        self.on_start: Callable[[int], None] = lambda number: None
        self.compute = self

    def get_server(self, server_id: str) -> Any:
        host = "compute-0" if server_id == "one" else "compute-1"
        return SimpleNamespace(
            id=server_id,
            name=server_id,
            status=self.status[server_id],
            task_state=None,
            fault={"message": "Unknown PCI header type '127'"} if self.status[server_id] == "ERROR" else None,
            compute_host=host,
            hypervisor_hostname=host,
        )

    def server_actions(self, server_id: str) -> list[Any]:
        return []

    def stop_server(self, server_id: str) -> None:
        self.rounds += server_id == "one"
        self.status[server_id] = "SHUTOFF"

    def start_server(self, server_id: str) -> None:
        self.status[server_id] = "ACTIVE"
        self.on_start(self.rounds)


class Machines:
    """Hosts whose kernel log is Nova's, and instances that answer."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova

    def node(self, declared: Any) -> Any:
        answer = lambda command, **_: CommandOutput(declared.name, command, 0, self._nova.logs[declared.name], "", 0.0)  # noqa: E731
        return SimpleNamespace(name=declared.name, run=answer)

    def guest(self, guest: Guest) -> Any:
        return SimpleNamespace(name=guest.name, run=lambda command: CommandOutput(guest.name, command, 0, "", "", 0.0))

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def nova(monkeypatch: pytest.MonkeyPatch) -> Nova:
    made = Nova()
    monkeypatch.setattr(cycling, "connect", lambda variables: made)
    monkeypatch.setattr(instances, "POLL_S", 0.0)
    return made


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return load("lab").model_copy(update={"runs_directory": tmp_path})


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"admin": {"OS_USERNAME": "a"}, "tenant": {"OS_USERNAME": "t"}}))
    guests = (Guest("one-card", "f", server_id="one"), Guest("all-cards", "f", server_id="two"))
    return Environment(credentials_file=str(file), guests=guests)


def _cycled(cloud: Cloud, environment: Environment, nova: Nova, count: int) -> Any:
    found = cycle(cloud, environment, count, Progress(quiet=True), connections=lambda *_: Machines(nova))  # type: ignore[arg-type,return-value]
    return Environment.from_json(found.to_json()).cycles


def test_as_many_rounds_as_were_asked_for(cloud: Cloud, environment: Environment, nova: Nova) -> None:
    """What a log said before the first one is of the past."""
    cycles = _cycled(cloud, environment, nova, 5)

    assert (cycles.made, cycles.troubles, cycles.missing) == (5, (), "")
    assert (nova.rounds, set(nova.status.values())) == (5, {"ACTIVE"})


@pytest.mark.parametrize(
    ("line", "kind", "device"), [(LOST, "reset", "0000:04:00.0"), (ASLEEP, "asleep", "0000:84:00.0")]
)
def test_the_round_and_host_that_lost_a_card_are_told(
    cloud: Cloud, environment: Environment, nova: Nova, line: str, kind: str, device: str
) -> None:
    def lose(number: int) -> None:
        if number == 4:
            nova.logs["compute-0"] += f"[ 9.0] {line}"

    nova.on_start = lose
    cycles = _cycled(cloud, environment, nova, 9)

    assert (cycles.made, nova.rounds) == (4, 4)
    assert [(trouble.host, trouble.cycle, trouble.kind, trouble.what) for trouble in cycles.troubles] == [
        ("compute-0", 4, kind, device)
    ]


def test_an_instance_that_does_not_start_is_told_with_novas_words(
    cloud: Cloud, environment: Environment, nova: Nova
) -> None:
    def fail(number: int) -> None:
        nova.status["two"] = "ERROR" if number == 2 else nova.status["two"]

    nova.on_start = fail
    cycles = _cycled(cloud, environment, nova, 3)

    assert [(trouble.host, trouble.kind) for trouble in cycles.troubles] == [("compute-1", "instance")]
    assert "all-cards" in cycles.troubles[0].what
    assert cycles.made == 2


def test_without_instances_nothing_is_known(cloud: Cloud, environment: Environment, nova: Nova) -> None:
    cycles = _cycled(cloud, replace(environment, guests=()), nova, 3)

    assert cycles.made == 0
    assert "no instance" in cycles.missing


@pytest.mark.parametrize(("is_within", "status"), [(True, "ACTIVE"), (False, "SHUTOFF")])
def test_what_a_killed_run_left_shut_off_is_started(
    cloud: Cloud, environment: Environment, nova: Nova, is_within: bool, status: str
) -> None:
    """One that somebody else shut off stays so: a check tells of it."""

    def kill(number: int) -> None:
        raise KeyboardInterrupt

    if is_within:
        nova.on_start = kill
        with pytest.raises(KeyboardInterrupt):
            _cycled(cloud, environment, nova, 3)
        nova.on_start = lambda number: None
    nova.status["one"] = "SHUTOFF"
    found = started_again(cloud.runs, nova, nova.get_server("one"), Progress(quiet=True))

    assert found.status == status
