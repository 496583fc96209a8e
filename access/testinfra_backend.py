"""testinfra over the one SSH connection that a run keeps for each host, its host key checked.

testinfra's own paramiko backend takes any unknown host key, so hosts reach it through ours.
"""

from __future__ import annotations

from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host as TestinfraHost

from access.host import Host


class KeptConnection(BaseBackend):  # type: ignore[misc]  # testinfra has no type information
    """Runs testinfra's commands as root of an open connection."""

    NAME = "kept-connection"

    def __init__(self, host: Host) -> None:
        super().__init__(host.name)
        self._host = host

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """Run one command; testinfra itself judges the exit code."""
        text = self.get_command(command, *args)
        output = self._host.run(text, as_root=True)
        return self.result(output.exit_code, self.encode(text), output.stdout, output.stderr)


def inspected(host: Host) -> TestinfraHost:
    """The same machine with testinfra's questions: file, package, service, sysctl …"""
    return TestinfraHost(KeptConnection(host))
