"""Every error that a host, an API or a cloud file can cause, in one tree.

::

    AcceptanceError
    ├── InputError                 an option, a file or a variable cannot be used
    │   └── CloudFileError         a cloud file, all of its mistakes at once
    ├── MeasurementError           we could not look: says nothing about the cloud
    │   ├── ConnectError           no session to a host or an API
    │   │   ├── AuthenticationError
    │   │   ├── HostKeyError
    │   │   └── LoginError         the login gives no shell, or sudo no root
    │   ├── CommandError           a command did not give an answer
    │   │   ├── CommandTimeout
    │   │   └── ToolMissing
    │   └── ParseError             an answer that cannot be read
    │       └── ToolFailure        an answer in which the tool itself says that it failed
    ├── ProvisioningError          the cloud refused or failed what we asked of it
    │   ├── DeployError
    │   ├── StackError
    │   ├── WaitTimeout
    │   └── LedgerError
    └── Rejected                   the cloud is wrong: cause, finding and fix

    Blocked                        what a check rests on is not there
    NotVerified                    there is no evidence either way

A `MeasurementError` in a check becomes the verdict *error*; a `ProvisioningError` and `Rejected` are findings about the
cloud. `InputError` ends pytest with exit code 4 and a command of this project with 64. Rooms above add errors of their
own below these: `InstanceRefused`, `HistoryUnavailable`, `CannotCertify`, `CloudInUse`. Foreign exceptions
(paramiko, openstacksdk) are translated where they enter, so that no caller has to know them.
"""

from __future__ import annotations

QUOTED_OUTPUT_LIMIT_CHARS = 2000
"""Hosts are not trusted to be brief: an error quotes at most this much of each stream."""


class AcceptanceError(Exception):
    """Root of the tree. `remedy` says what the reader can do about it."""

    remedy: str
    cause: str = "failed"
    """Stable name of what is wrong, when a check ends in this error."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  what to do: {self.remedy}" if self.remedy else message


class InputError(AcceptanceError):
    """What the user gave (option, file, variable) cannot be used."""


class CloudFileError(InputError):
    """A cloud file cannot be used; the message lists every mistake with its line."""


class MeasurementError(AcceptanceError):
    """We could not look. Never evidence for or against the cloud."""


class ConnectError(MeasurementError):
    """No session to a host or an API endpoint."""


class AuthenticationError(ConnectError):
    """The other side refused our key or password."""


class HostKeyError(ConnectError):
    """The host's key is not the one we know."""


class LoginError(ConnectError):
    """The host takes the login, but it gives no shell, or sudo gives no root."""


class CommandError(MeasurementError):
    """A command did not give an answer that can be used.

    Carries what was run, where, the exit code (None when it never ended) and both streams.
    """

    def __init__(
        self,
        reason: str,
        *,
        command: str,
        host: str,
        exit_code: int | None = None,
        stdout: str = "",
        stderr: str = "",
        remedy: str = "",
    ) -> None:
        self.command = command
        self.host = host
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr
        lines = [reason, f"  command: {command}", f"  host: {host}"]
        if exit_code is not None:
            lines.append(f"  exit code: {exit_code}")
        for name, text in (("stdout", stdout), ("stderr", stderr)):
            if text:
                lines.append(f"  {name}: {shorten(text)}")
        super().__init__("\n".join(lines), remedy=remedy)


class CommandTimeout(CommandError):
    """A command was still running when its time was up."""


class ToolMissing(CommandError):
    """The program is not installed on that host, or not on its PATH."""


class ParseError(MeasurementError):
    """A tool's answer has a shape that we do not know.

    `line` is the offending line ("" when the answer is empty or ends too early) and
    `line_number` counts from 1.
    """

    def __init__(self, tool: str, reason: str, *, line: str = "", line_number: int | None = None) -> None:
        self.tool = tool
        self.reason = reason
        self.line = line[:QUOTED_OUTPUT_LIMIT_CHARS]
        self.line_number = line_number
        where = f" in line {line_number}" if line_number is not None else ""
        quoted = f": {self.line!r}" if self.line else ""
        super().__init__(f"{tool}: {reason}{where}{quoted}")


class ToolFailure(ParseError):
    """A tool says itself that it failed, or could not read a value, whatever its exit code is.

    `kind` is a stable word for what it said, e.g. "no-communication", "cuda-802".
    """

    def __init__(
        self, tool: str, kind: str, reason: str, *, line: str = "", line_number: int | None = None, remedy: str = ""
    ) -> None:
        super().__init__(tool, reason, line=line, line_number=line_number)
        self.kind = kind
        self.remedy = remedy


class ProvisioningError(AcceptanceError):
    """The cloud refused or failed what we asked of it."""


class DeployError(ProvisioningError):
    """The overcloud deploy failed."""


class StackError(ProvisioningError):
    """A Heat stack failed; names the resource and the reason below it."""


class WaitTimeout(ProvisioningError):
    """A state was not reached in time; says what was waited for and the last state seen."""


class LedgerError(ProvisioningError):
    """The ledger of created resources cannot be read, written or emptied."""


class Rejected(AcceptanceError, AssertionError):
    """The cloud is wrong.

    `cause` is a stable id within the check that raises it, `file` and `line_number` where to change what.
    """

    def __init__(self, cause: str, what: str, *, fix: str, file: str = "", line_number: int | None = None) -> None:
        self.cause = cause
        self.what = what
        self.file = file
        self.line_number = line_number
        super().__init__(what, remedy=fix)


def shorten(text: str, limit_chars: int = QUOTED_OUTPUT_LIMIT_CHARS) -> str:
    """Keep head and tail of a long text: the first lines name the command, the last the error."""
    if len(text) <= limit_chars:
        return text
    half = limit_chars // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


class Blocked(Exception):
    """What a check rests on is not there."""


class NotVerified(Exception):
    """There is no evidence either way, for example because no source tells what is good for a model."""
