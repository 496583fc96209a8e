"""A run and a clean-up of one cloud exclude each other, whoever waits says for whom, and a killed one keeps nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from access.errors import InputError
from provisioning.cloud_lock import CloudInUse, CloudLock

REPOSITORY = Path(__file__).resolve().parents[2]
HOLDER = """
import sys
from pathlib import Path
from provisioning.cloud_lock import CloudLock
lock = CloudLock(Path(sys.argv[1]))
{how}
print("held", flush=True)
sys.stdin.read()
"""
TAKES = 'lock.take("the run night-1", wait_s=0, say=print)'


@contextmanager
def another(runs: Path, how: str = TAKES) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is ended."""
    command = [sys.executable, "-c", HOLDER.format(how=how), str(runs)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_one_is_told_who_is_there(tmp_path: Path):
    said: list[str] = []
    with another(tmp_path) as other, pytest.raises(CloudInUse) as raised:
        CloudLock(tmp_path).take("a clean-up", wait_s=0, say=said.append)

    assert f"the run night-1 (process {other.pid}, since 20" in said[0]
    assert f"the run night-1 (process {other.pid}, since 20" in str(raised.value)
    assert "--wait-for-cloud MINUTES" in str(raised.value)


def test_one_that_waits_goes_on_when_the_other_has_ended(tmp_path: Path):
    lock, waits = CloudLock(tmp_path), threading.Event()
    with another(tmp_path) as other:
        waiting = threading.Thread(
            target=lambda: lock.take("the next run", wait_s=60, say=lambda text: waits.set()), daemon=True
        )
        waiting.start()
        assert waits.wait(30)
        assert waiting.is_alive()

        other.kill()
        waiting.join(30)

    assert not waiting.is_alive()
    assert "the next run" in (tmp_path / "cloud.lock").read_text()
    lock.release()


def test_nobody_waits_for_one_that_was_killed(tmp_path: Path):
    with another(tmp_path) as other:
        other.kill()
        other.wait()

        CloudLock(tmp_path).take("the next run", wait_s=0, say=pytest.fail)


def test_a_run_whose_controller_was_killed_is_over_with_its_last_worker(tmp_path: Path):
    with another(tmp_path, "lock.join()") as worker:
        with pytest.raises(CloudInUse, match="workers of a run whose controller has ended"):
            CloudLock(tmp_path).take("the next run", wait_s=0, say=lambda text: None)
        worker.kill()
        worker.wait()

        CloudLock(tmp_path).take("the next run", wait_s=0, say=pytest.fail)


def test_workers_of_one_run_do_not_wait_for_each_other(tmp_path: Path):
    controller = CloudLock(tmp_path)
    controller.take("a run", wait_s=0, say=pytest.fail)
    with another(tmp_path, "lock.join()"), another(tmp_path, "lock.join()"):
        CloudLock(tmp_path).join()


def test_whatever_stands_in_the_file_nobody_is_let_in(tmp_path: Path):
    for content in ("", "{", "[]", '{"what": 3}', "\0\0"):
        with another(tmp_path):
            (tmp_path / "cloud.lock").write_text(content)
            with pytest.raises(CloudInUse, match="another run or clean-up"):
                CloudLock(tmp_path).take("a run", wait_s=0, say=lambda text: None)


def test_a_released_lock_is_free(tmp_path: Path):
    first = CloudLock(tmp_path)
    first.take("a run", wait_s=0, say=pytest.fail)
    first.release()

    CloudLock(tmp_path).take("a run", wait_s=0, say=pytest.fail)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match=r"cannot be written: .*file/runs"):
        CloudLock(tmp_path / "file" / "runs").take("a run", wait_s=0, say=pytest.fail)
