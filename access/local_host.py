"""This machine as a `Host`: kind host with the address localhost."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import BinaryIO

from access.answer import Answer, command_line, why_no_answer
from access.errors import CommandError, CommandTimeout, LoginError
from access.host import CommandOutput

OUTPUT_LIMIT_BYTES = 32 * 1024 * 1024
"""As of a remote host: a program may print without end."""
GRACE_S = 5.0
POLL_S = 0.02
"""How often the size of the output is looked at; a program writes some hundred megabytes in that time at most."""


class LocalHost:
    """Runs commands here, as `RemoteHost` runs them there."""

    def __init__(self, name: str, *, on_command: Callable[[CommandOutput], None] | None = None) -> None:
        self._name = name
        self.on_command = on_command

    @property
    def name(self) -> str:
        """The host's name in the cloud file."""
        return self._name

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        """Run one shell command and return what it gave, whatever the exit code.

        Raises:
            CommandTimeout: still running after `timeout_s`; it and all that it started are ended.
            CommandError: it printed more than OUTPUT_LIMIT_BYTES, and was ended.
            LoginError: sudo gives no root.
        """
        started = time.monotonic()
        becomes_root = as_root and os.getuid() != 0
        argv = ["/bin/sh", "-c", command_line(command, as_root=becomes_root)]
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
            )
            self._wait(process, (stdout, stderr), command, started + timeout_s, timeout_s)
            answer, complaint = Answer(), Answer()
            output = CommandOutput(
                host=self._name,
                command=command,
                exit_code=process.returncode,
                stdout=answer.feed(_text(stdout)),
                stderr=complaint.feed(_text(stderr)),
                duration_s=time.monotonic() - started,
            )
        if not answer.has_begun:
            user = getpass.getuser()
            reason, remedy = why_no_answer(complaint.before, user, as_root=becomes_root)
            raise LoginError(f"{self._name}: {reason}: {complaint.before.strip()[:500]}", remedy=remedy)
        if self.on_command is not None:
            self.on_command(output)
        return output

    def _wait(
        self,
        process: subprocess.Popen[bytes],
        streams: Sequence[BinaryIO],
        command: str,
        deadline: float,
        timeout_s: float,
    ) -> None:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
            if sum(os.fstat(stream.fileno()).st_size for stream in streams) > OUTPUT_LIMIT_BYTES:
                _end(process)
                reason = f"it printed more than {OUTPUT_LIMIT_BYTES} bytes"
                raise CommandError(reason, command=command, host=self._name)
            if process.returncode is not None:
                return
            if time.monotonic() > deadline:
                _end(process)
                raise CommandTimeout(f"still running after {timeout_s:g} s", command=command, host=self._name)

    def close(self) -> None:
        """Nothing is kept open."""


def _text(stream: BinaryIO) -> str:
    stream.seek(0)
    return stream.read(OUTPUT_LIMIT_BYTES + 1).decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and its children: a pipe or a copy in the background would outlive its shell."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
