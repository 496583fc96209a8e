"""Domains of an emulated compute: a reader sees each definition and state whole, whatever is written meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

from lab.plugins.labcloud.domains import PAUSED, RUNNING, SHUT_OFF, Domains

ROUNDS = 300


def instance(number: int) -> SimpleNamespace:
    return SimpleNamespace(
        name=f"instance-{number}", uuid=f"uuid-{number}", flavor=SimpleNamespace(memory_mb=2048, vcpus=2)
    )


def test_domains_are_read_while_others_come_and_go(tmp_path: Path) -> None:
    """A reader never sees part of a domain's files while others write and remove domains."""
    domains = Domains(SimpleNamespace(path=lambda name: tmp_path / name.lstrip("/")))

    def come_and_go(number: int) -> None:
        for _ in range(ROUNDS):
            domains.define(instance(number), [f"0000:0{number}:00.0"], RUNNING)
            domains.set_state(f"uuid-{number}", PAUSED)
            domains.undefine(f"uuid-{number}")

    writers = [threading.Thread(target=come_and_go, args=(number,)) for number in (1, 2)]
    domains.define(instance(3), ["0000:03:00.0"], RUNNING)
    for writer in writers:
        writer.start()
    looks = 0
    while any(writer.is_alive() for writer in writers):
        seen = {domain.uuid: domain for domain in domains.all()}
        assert (seen["uuid-3"].state, seen["uuid-3"].addresses) == (RUNNING, ("0000:03:00.0",))
        assert {domain.state for domain in seen.values()} <= {RUNNING, PAUSED, SHUT_OFF}
        looks += 1

    assert looks > 1
    assert [domain.uuid for domain in domains.all()] == ["uuid-3"]
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and "instance-3" not in file.name]
