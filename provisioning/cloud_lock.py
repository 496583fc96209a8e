"""One run or clean-up of a cloud at a time: a second one would remove what the first one is looking at.

The lock is the kernel's: it ends with the process that holds it, however that ends. The workers of a run share a second
one, so that a run whose controller was killed is over only when its last worker is.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from access.errors import InputError, WaitTimeout
from access.waiting import wait_for


class CloudInUse(InputError):
    """Another run or clean-up of the same cloud goes on."""


class CloudLock:
    """The lock of one cloud; `runs` is the cloud's own folder."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._held: list[TextIO] = []

    def take(self, what: str, *, wait_s: float, say: Callable[[str], None]) -> None:
        """Take the lock as `what` (a run, a clean-up); says for whom it waits.

        Raises:
            CloudInUse: the other one still goes on after `wait_s` seconds.
            InputError: the cloud's folder cannot be written.
        """
        lock = self._open("cloud.lock")
        self._wait(lock, lambda: _holder(lock), wait_s, say)
        lock.seek(0)
        lock.truncate()
        json.dump({"what": what, "pid": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"}, lock)
        lock.flush()
        self._held.append(lock)
        try:
            workers = self._open("workers.lock")
            self._wait(workers, lambda: "workers of a run whose controller has ended", wait_s, say)
        except InputError:
            self.release()
            raise
        workers.close()  # none lives: new ones may come

    def join(self) -> None:
        """Belong to the run that holds the lock, as one of its workers."""
        workers = self._open("workers.lock")
        fcntl.flock(workers, fcntl.LOCK_SH)
        self._held.append(workers)

    def release(self) -> None:
        """Let the next one in."""
        while self._held:
            self._held.pop().close()

    def _open(self, name: str) -> TextIO:
        try:
            self.runs.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.fdopen(os.open(self.runs / name, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"the folder of this cloud's runs cannot be written: {self.runs}: {error.strerror}",
                remedy="make room there, or name another folder by runs_directory in the cloud file",
            ) from error

    def _wait(self, lock: TextIO, holder: Callable[[], str], wait_s: float, say: Callable[[str], None]) -> None:
        def look() -> str:
            return "" if _try(lock) else holder()

        if not (who := look()):
            return
        say(f"this cloud is in use by {who}: waiting for at most {wait_s / 60:g} minutes (--wait-for-cloud)")
        try:
            wait_for("the cloud", look, lambda other: not other, timeout_s=wait_s, interval_s=0.2)
        except WaitTimeout:
            lock.close()
            raise CloudInUse(
                f"this cloud is in use by {who}: still after {wait_s / 60:g} minutes",
                remedy="wait for its end, or end it; then try again (--wait-for-cloud MINUTES waits longer)",
            ) from None


def _try(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lock: TextIO) -> str:
    """Who has it, as it wrote down itself."""
    lock.seek(0)
    try:
        known = json.loads(lock.read(1000))
        return f"{known['what']} (process {known['pid']}, since {known['since']})"
    except (ValueError, KeyError, TypeError):
        return "another run or clean-up"
