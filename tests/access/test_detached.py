"""What runs detached survives the connection, starts once, and is told apart from what was killed."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from access import detached
from access.detached import Look, State
from access.local_host import LocalHost
from access.waiting import wait_for


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHost:
    """This machine, with a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return LocalHost("here")


def _ended(machine: LocalHost, name: str = "p") -> Look:
    return wait_for(
        "the payload", lambda: detached.look(machine, name), lambda seen: seen.state is not State.RUNNING, timeout_s=20
    )


def _wait_for_file(path: Path) -> None:
    wait_for(str(path), path.exists, bool, timeout_s=20, interval_s=0.02)


def _start(machine: LocalHost, files: dict[str, str]) -> None:
    detached.put(machine, "p", files)
    detached.begin(machine, "p")


def _runs(number: str) -> bool:
    """Whether a process is more than a zombie that nobody asked for."""
    stat = Path(f"/proc/{number}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def test_what_was_never_started_is_absent(machine: LocalHost) -> None:
    assert detached.look(machine, "p") == Look(State.ABSENT)


@pytest.mark.parametrize("code", [0, 3])
def test_it_ends_with_its_exit_code_and_leaves_its_files(machine: LocalHost, code: int) -> None:
    _start(machine, {"payload": f"cat words; echo more >own; exit {code}", "words": "it's $HOME\n\n`x`"})

    assert _ended(machine) == Look(State.ENDED, code)
    assert detached.fetch(machine, "p", "stdout") == "it's $HOME\n\n`x`\n"
    assert detached.fetch(machine, "p", "own") == "more\n"
    assert detached.fetch(machine, "p", "nothing") is None


def test_a_second_start_starts_nothing(machine: LocalHost, tmp_path: Path) -> None:
    """As after a connection that was lost before the answer."""
    for _ in range(2):
        _start(machine, {"payload": "echo once >>../count"})
    _ended(machine)

    assert (tmp_path / detached.ROOT / "count").read_text() == "once\n"


def test_a_hang_up_does_not_reach_it(machine: LocalHost, tmp_path: Path) -> None:
    """The session that started it is killed with all its processes, as a lost login's are."""
    os.mkfifo(tmp_path / "go")
    detached.put(machine, "p", {"payload": 'read word <"$HOME"/go; echo $word'})
    script = detached.BEGIN.format(folder=detached.folder_of("p"))
    session = subprocess.Popen(["/bin/sh", "-c", script + "\nkill -STOP $$"], start_new_session=True)
    _wait_for_file(tmp_path / detached.ROOT / "p" / "lock")
    os.killpg(session.pid, signal.SIGHUP)
    os.killpg(session.pid, signal.SIGKILL)
    session.wait()
    assert detached.look(machine, "p") == Look(State.RUNNING)

    (tmp_path / "go").write_text("went on\n")
    assert _ended(machine) == Look(State.ENDED, 0)
    assert detached.fetch(machine, "p", "stdout") == "went on\n"


def test_one_that_was_killed_is_no_result(machine: LocalHost, tmp_path: Path) -> None:
    """As by a reboot: all of its session is gone, and nobody wrote an exit code."""
    os.mkfifo(tmp_path / "go")
    _start(machine, {"payload": 'echo $$ >pid; cat "$HOME"/go'})
    _wait_for_file(tmp_path / detached.ROOT / "p" / "pid")
    os.killpg(os.getpgid(int((tmp_path / detached.ROOT / "p" / "pid").read_text())), signal.SIGKILL)

    assert _ended(machine) == Look(State.KILLED)


def test_what_it_leaves_running_does_not_keep_it_running(machine: LocalHost, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    _start(machine, {"payload": '(cat "$HOME"/go >own) & exit 0'})

    assert _ended(machine) == Look(State.ENDED, 0)
    (tmp_path / "go").write_text("x")


def test_what_is_laid_down_waits_for_its_beginning(machine: LocalHost) -> None:
    detached.put(machine, "p", {"payload": "cat word", "word": "first"})
    assert detached.look(machine, "p") == Look(State.ABSENT)

    detached.put(machine, "p", {"payload": "cat word", "word": "second"})
    detached.begin(machine, "p")
    _ended(machine)
    assert detached.fetch(machine, "p", "stdout") == "first\n"


def test_it_is_removed_with_what_it_wrote(machine: LocalHost, tmp_path: Path) -> None:
    _start(machine, {"payload": "true"})
    _ended(machine)
    detached.remove(machine, "p")

    assert detached.look(machine, "p") == Look(State.ABSENT)
    assert list((tmp_path / detached.ROOT).iterdir()) == []


def test_one_that_runs_is_ended_before_it_is_removed(machine: LocalHost, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    _start(machine, {"payload": 'echo $$ >../own; (cat "$HOME"/go) & wait'})
    own = tmp_path / detached.ROOT / "own"
    wait_for("its number", lambda: own.exists() and own.read_text().strip(), bool, timeout_s=20, interval_s=0.02)
    detached.remove(machine, "p")

    assert not _runs(own.read_text().strip())
    assert not (tmp_path / detached.ROOT / "p").exists()


@pytest.mark.parametrize("name", ["", "../x", "a b", "x;y"])
def test_a_name_is_no_path_and_no_command(machine: LocalHost, name: str) -> None:
    with pytest.raises(ValueError):
        detached.put(machine, name, {"payload": "true"})
