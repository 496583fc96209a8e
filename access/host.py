"""The one way in which a probe reaches a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from access.errors import CommandError, ToolMissing

COMMAND_NOT_FOUND = 127
"""POSIX shell: exit status of a command that was not found.

https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_08_02
"""


@dataclass(frozen=True)
class CommandOutput:
    """What one command gave back."""

    host: str
    """Name of the host, as the cloud file has it."""
    command: str
    exit_code: int
    stdout: str
    stderr: str
    duration_s: float


class Host(Protocol):
    """A machine that commands can be run on: over SSH, locally, or in a test."""

    @property
    def name(self) -> str:
        """The host's name in the cloud file, or the instance's name."""

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        """Run one shell command and return what it gave, whatever the exit code.

        Raises:
            ConnectError: the host cannot be reached.
            CommandTimeout: still running after `timeout_s`.
        """


def output_of(host: Host, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
    """Run a command that must succeed.

    Raises:
        ToolMissing: the program is not there (exit code 127).
        CommandError: any other exit code than 0.
    """
    return succeeded(host.run(command, timeout_s=timeout_s, as_root=as_root))


def succeeded(output: CommandOutput) -> CommandOutput:
    """The same output, when its command ended with exit code 0.

    Raises:
        ToolMissing, CommandError: as `output_of`.
    """
    if output.exit_code == 0:
        return output
    missing = output.exit_code == COMMAND_NOT_FOUND
    raise failure_of(output, "the program is not installed" if missing else "the command failed")


def failure_of(output: CommandOutput, reason: str, remedy: str = "") -> CommandError:
    """The error for a command that did not give what it should: ToolMissing when its program is not there."""
    error = ToolMissing if output.exit_code == COMMAND_NOT_FOUND else CommandError
    return error(
        reason,
        command=output.command,
        host=output.host,
        exit_code=output.exit_code,
        stdout=output.stdout,
        stderr=output.stderr,
        remedy=remedy,
    )
