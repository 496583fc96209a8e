"""What checks ask of hosts is asked once a run, and stands in the evidence of each check all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from access.host import CommandOutput
from access.local_host import LocalHost
from judging.notes import Notes
from provisioning.hosts import ReadOnce

Answers = dict[tuple[str, str, bool], CommandOutput]


@pytest.fixture
def count(tmp_path: Path) -> str:
    """A command that answers with how often it was carried out."""
    return f"echo x >>{tmp_path}/times; wc -l <{tmp_path}/times"


def _host(answers: Answers, notes: Notes, name: str = "compute-0") -> ReadOnce:
    return ReadOnce(LocalHost(name, on_command=notes.command), answers, notes.command)


def test_the_second_check_has_the_first_answer_and_its_evidence(count: str):
    answers: Answers = {}
    first, second = Notes(), Notes()

    outputs = [_host(answers, notes).run(count).stdout for notes in (first, second)]

    assert outputs == ["1\n", "1\n"]
    assert first.evidence == second.evidence
    assert len(first.evidence) == 1


def test_another_host_is_asked_itself(count: str):
    answers: Answers = {}

    outputs = [_host(answers, Notes(), name).run(count).stdout for name in ("compute-0", "compute-1")]

    assert outputs == ["1\n", "2\n"]


def test_what_failed_is_asked_again(count: str):
    host = _host({}, Notes())

    outputs = [host.run(f"{count}; false") for _ in range(2)]

    assert [output.stdout for output in outputs] == ["1\n", "2\n"]
