"""This machine as a `Host`: kind host with the address localhost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import BinaryIO

from access.errors import CommandError, CommandTimeout
from access.host import CommandOutput

OUTPUT_LIMIT_BYTES = 32 * 1024 * 1024
"""As of a remote host: what a program says is not trusted to be brief."""
GRACE_S = 5.0


class LocalHost:
    """Runs commands here, in the way `RemoteHost` runs them there."""

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
            CommandError: it said more than OUTPUT_LIMIT_BYTES.
        """
        started = time.monotonic()
        argv = ["/bin/sh", "-c", command]
        if as_root and os.getuid() != 0:
            argv = ["sudo", "-n", "--", "env", "LC_ALL=C", *argv]
        environment = {**os.environ, "LC_ALL": "C", "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(
                argv, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
            )
            try:
                exit_code = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                _end(process)
                raise CommandTimeout(f"still running after {timeout_s:g} s", command=command, host=self._name) from None
            output = CommandOutput(
                host=self._name,
                command=command,
                exit_code=exit_code,
                stdout=self._text(stdout, command),
                stderr=self._text(stderr, command),
                duration_s=time.monotonic() - started,
            )
        if self.on_command is not None:
            self.on_command(output)
        return output

    def _text(self, stream: BinaryIO, command: str) -> str:
        stream.seek(0)
        data = stream.read(OUTPUT_LIMIT_BYTES + 1)
        if len(data) > OUTPUT_LIMIT_BYTES:
            raise CommandError(f"it said more than {OUTPUT_LIMIT_BYTES} bytes", command=command, host=self._name)
        return data.decode(errors="replace")

    def close(self) -> None:
        """Nothing is kept open."""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and its children: a pipe or a copy in the background would outlive its shell."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
