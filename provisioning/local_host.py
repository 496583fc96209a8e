"""This machine as a `Host`: kind host with the address localhost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

from probes.host import CommandOutput
from provisioning.errors import CommandTimeout


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
            CommandTimeout: still running after `timeout_s`.
        """
        started = time.monotonic()
        argv = ["/bin/sh", "-c", command]
        if as_root and os.getuid() != 0:
            argv = ["sudo", "-n", "--", *argv]
        environment = {**os.environ, "LC_ALL": "C", "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
        try:
            done = subprocess.run(
                argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s
            )
        except subprocess.TimeoutExpired as error:
            raise CommandTimeout(f"still running after {timeout_s:g} s", command=command, host=self._name) from error
        output = CommandOutput(
            host=self._name,
            command=command,
            exit_code=done.returncode,
            stdout=done.stdout.decode(errors="replace"),
            stderr=done.stderr.decode(errors="replace"),
            duration_s=time.monotonic() - started,
        )
        if self.on_command is not None:
            self.on_command(output)
        return output
