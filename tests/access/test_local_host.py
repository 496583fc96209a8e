"""This machine as a host: what it answers, and that nothing outlives a command that was given up."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from access import local_host
from access.errors import CommandError, CommandTimeout
from access.host import CommandOutput
from access.local_host import LocalHost


def test_what_a_command_gives() -> None:
    """Both streams and the exit code, also to the recorder of evidence."""
    seen: list[CommandOutput] = []
    output = LocalHost("here", on_command=seen.append).run("echo out; echo bad >&2; exit 3")

    assert (output.host, output.exit_code, output.stdout, output.stderr) == ("here", 3, "out\n", "bad\n")
    assert seen == [output]


def test_nothing_waits_for_input() -> None:
    """A command that reads its input finds it empty."""
    assert LocalHost("here").run("cat").stdout == ""


def test_messages_are_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsers know the words of the C locale."""
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")

    assert LocalHost("here").run("echo $LC_ALL").stdout == "C\n"


def test_a_command_in_the_background_does_not_hold_the_answer() -> None:
    """The pipe of a daemon that a command starts stays open; the command is over all the same."""
    host = LocalHost("here")
    output = host.run("sleep 20 & echo $!", timeout_s=5)
    os.kill(int(output.stdout), 9)

    assert output.duration_s < 4


def test_what_a_given_up_command_started_ends_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No child outlives a command that reached its time limit."""
    monkeypatch.setattr(local_host, "GRACE_S", 0.1)
    pids = tmp_path / "pids"
    with pytest.raises(CommandTimeout, match="still running after"):
        LocalHost("here").run(f"trap '' TERM; sleep 60 & echo $! > {pids}; sleep 60", timeout_s=0.3)

    child = Path("/proc") / pids.read_text().strip() / "stat"
    deadline = time.monotonic() + 5
    while _state(child) not in ("gone", "Z"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _state(stat: Path) -> str:
    try:
        return stat.read_text().split()[2]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def test_an_answer_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte more than the limit is an error, not a cut answer."""
    monkeypatch.setattr(local_host, "OUTPUT_LIMIT_BYTES", 1000)

    with pytest.raises(CommandError, match="printed more than 1000 bytes"):
        LocalHost("here").run("head -c 1001 /dev/zero")


def test_a_command_that_prints_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It neither fills the disk nor runs until its time limit."""
    monkeypatch.setattr(local_host, "OUTPUT_LIMIT_BYTES", 1_000_000)
    started = time.monotonic()

    with pytest.raises(CommandError, match="printed more than"):
        LocalHost("here").run("yes", timeout_s=60)

    assert time.monotonic() - started < 20
