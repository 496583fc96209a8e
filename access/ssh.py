"""One kept SSH connection to a machine: commands, files, and nothing that is not checked.

`RemoteHost` implements `access.host.Host`. Host keys are checked against known_hosts, an
unknown key is refused. paramiko's exceptions end here.
"""

from __future__ import annotations

import posixpath
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, NoReturn, cast

import paramiko

from access.answer import command_line, why_no_answer
from access.endpoint import SshEndpoint
from access.errors import (
    AuthenticationError,
    CommandError,
    CommandTimeout,
    ConnectError,
    HostKeyError,
    LoginError,
    shorten,
)
from access.host import CommandOutput
from access.ssh_config import Login, login_of
from access.ssh_connection import CONNECT_TIMEOUT_S, connected, refused_tunnel
from access.ssh_streams import Stream, collect

NO_EXIT_STATUS = -1
"""Killed by a signal, or the connection ended before it was told."""
REDACTED = "[redacted]"
TRANSFER_STARTS_S = 60.0
TRANSFER_SILENCE_S = 300.0
"""A store that is slow to read may be silent for a while."""


class RemoteHost:
    """A machine over SSH. Connects at the first use and again when the connection was lost."""

    def __init__(
        self,
        name: str,
        endpoint: SshEndpoint,
        *,
        via: RemoteHost | None = None,
        login: Login | None = None,
        on_command: Callable[[CommandOutput], None] | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self._name = name
        self.login = login or login_of(endpoint, None)
        self.endpoint = self.login.endpoint
        self._via = via
        self.on_command = on_command
        """Called with every command's (redacted) output: where evidence is recorded."""
        self._secrets = tuple(secrets)
        self._client: paramiko.SSHClient | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The host's name in the cloud file, or the instance's name."""
        return self._name

    def __repr__(self) -> str:
        return f"RemoteHost({self._name}, {self.endpoint.user}@{self.endpoint.address}:{self.endpoint.port})"

    def run(
        self,
        command: str,
        *,
        timeout_s: float = 60.0,
        as_root: bool = False,
        stdin: str = "",
        on_line: Callable[[str], None] | None = None,
    ) -> CommandOutput:
        """Run one shell command and return what it gave, whatever the exit code.

        `stdin` is the way for secrets: it shows in no process list. `on_line` sees each line
        of stdout and stderr as it comes.

        Raises:
            ConnectError: the host cannot be reached; AuthenticationError, HostKeyError below it.
            LoginError: the login gives no shell, or sudo no root.
            CommandTimeout: still running after `timeout_s`.
            CommandError: more output than 32 MiB, or the connection was lost meanwhile.
        """
        started = time.monotonic()
        channel = self._channel()
        try:
            becomes_root = as_root and self.endpoint.user != "root"
            with _closed_after(channel, timeout_s):
                channel.exec_command(command_line(command, as_root=becomes_root))
                if stdin:
                    channel.sendall(stdin.encode())
                channel.shutdown_write()
            exit_code, stdout, stderr = self._collect(channel, command, timeout_s, on_line)
        except (paramiko.SSHException, OSError) as error:
            if time.monotonic() - started >= timeout_s:
                raise CommandTimeout(
                    f"not started within {timeout_s:g} s: the host takes the login and no command",
                    command=self.redact(command),
                    host=self._name,
                ) from error
            raise CommandError(
                f"the connection was lost: {error or type(error).__name__}",
                command=self.redact(command),
                host=self._name,
            ) from error
        finally:
            channel.close()
        if not stdout.has_begun:
            self._refuse(stdout, stderr, exit_code, becomes_root)
        output = CommandOutput(
            host=self._name,
            command=self.redact(command),
            exit_code=exit_code,
            stdout=self.redact(stdout.text()),
            stderr=self.redact(stderr.text()),
            duration_s=time.monotonic() - started,
        )
        if self.on_command is not None:
            self.on_command(output)
        return output

    def _refuse(self, stdout: Stream, stderr: Stream, exit_code: int, as_root: bool) -> NoReturn:
        said = self.redact(stdout.before + stderr.before + stderr.text())
        reason, remedy = why_no_answer(said, self.endpoint.user, as_root=as_root)
        quoted = f"\n  it printed: {shorten(said.strip())}" if said.strip() else " and printed nothing"
        raise LoginError(f"{self._name}: {reason}; the login ended with exit code {exit_code}{quoted}", remedy=remedy)

    def write_file(self, path: str, content: str, *, mode: int = 0o644) -> None:
        """Write a text file as the login user, atomically; directories are made.

        Raises:
            ConnectError, CommandError: as `run`.
        """
        directory, temporary = posixpath.dirname(path) or ".", f"{path}.new"
        command = (
            f"mkdir -p {shlex.quote(directory)} && umask 077 && cat > {shlex.quote(temporary)} && "
            f"chmod {mode:o} {shlex.quote(temporary)} && mv {shlex.quote(temporary)} {shlex.quote(path)}"
        )
        output = self.run(command, stdin=content)
        if output.exit_code != 0:
            raise CommandError(
                f"{path} cannot be written",
                command=output.command,
                host=self._name,
                exit_code=output.exit_code,
                stderr=output.stderr,
            )

    def read_file(self, path: str, *, as_root: bool = False) -> str | None:
        """A text file's content, None when there is none.

        The content does not pass `on_command`, since it may hold secrets.
        """
        recorder, self.on_command = self.on_command, None
        try:
            quoted = shlex.quote(path)
            output = self.run(f"if [ -e {quoted} ]; then cat {quoted}; else exit 44; fi", as_root=as_root)
        finally:
            self.on_command = recorder
        if output.exit_code == 44:
            return None
        if output.exit_code != 0:
            raise CommandError(
                f"{path} cannot be read",
                command=output.command,
                host=self._name,
                exit_code=output.exit_code,
                stderr=output.stderr,
            )
        return output.stdout

    @contextmanager
    def open_file(self, path: str) -> Iterator[BinaryIO]:
        """A file of that machine, to be read as bytes while it is transferred.

        Raises:
            ConnectError: no session.
            CommandError: the file cannot be read.
        """
        channel = self._channel()
        try:
            with _closed_after(channel, TRANSFER_STARTS_S):
                channel.invoke_subsystem("sftp")
                transfer = paramiko.SFTPClient(channel)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise CommandError(f"no file transfer: {error}", command="sftp", host=self._name) from error
        channel.settimeout(TRANSFER_SILENCE_S)
        try:
            with transfer.open(path, "rb") as stream:
                stream.prefetch()
                yield cast(BinaryIO, stream)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error}", command="sftp get", host=self._name) from error
        finally:
            transfer.close()

    def is_reachable(self) -> bool:
        """Whether a session can be opened now. A changed host key or refused login still raises."""
        try:
            self._channel().close()
        except (AuthenticationError, HostKeyError):
            raise
        except ConnectError:
            return False
        return True

    def close(self) -> None:
        """End the connection; the next use opens a new one."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def redact(self, text: str) -> str:
        """The text without this host's known secrets."""
        for secret in self._secrets:
            if secret:
                text = text.replace(secret, REDACTED)
        return text

    def _channel(self) -> paramiko.Channel:
        with self._lock:
            for attempt in ("kept", "new"):
                client = self._connected()
                transport = client.get_transport()
                try:
                    if transport is not None:
                        return transport.open_session(timeout=CONNECT_TIMEOUT_S)
                    raise EOFError
                except (paramiko.SSHException, OSError, EOFError) as error:
                    self._client = None
                    client.close()
                    if attempt == "new":
                        raise ConnectError(f"{self!r}: no session: {error or type(error).__name__}") from error
        raise AssertionError("unreachable")

    def _connected(self) -> paramiko.SSHClient:
        if self._client is not None:
            transport = self._client.get_transport()
            if transport is not None and transport.is_active():
                return self._client
            self._client.close()
        self._client = connected(self._name, self.login, self._tunnel)
        return self._client

    def _tunnel(self) -> Any:
        if self._via is None:
            return None
        with self._via._lock:
            transport = self._via._connected().get_transport()
        if transport is None:
            raise ConnectError(f"{self!r}: no connection to {self._via!r}")
        target = (self.endpoint.address, self.endpoint.port)
        try:
            return transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=CONNECT_TIMEOUT_S)
        except paramiko.SSHException as error:
            raise refused_tunnel(error, f"{self._via!r}", f"{self._name} ({target[0]} port {target[1]})") from error

    def _collect(
        self, channel: paramiko.Channel, command: str, timeout_s: float, on_line: Callable[[str], None] | None
    ) -> tuple[int, Stream, Stream]:
        streams = (Stream(on_line), Stream(on_line))

        def give_up(error: type[CommandError], reason: str) -> NoReturn:
            raise error(
                reason,
                command=self.redact(command),
                host=self._name,
                stdout=self.redact(streams[0].text()),
                stderr=self.redact(streams[1].text()),
            )

        exit_code = collect(channel, streams, timeout_s, give_up)
        if exit_code == NO_EXIT_STATUS and not self._is_connected():
            give_up(CommandError, "the connection was lost")
        return exit_code, *streams

    def _is_connected(self) -> bool:
        transport = self._client.get_transport() if self._client is not None else None
        return transport is not None and transport.is_active()


@contextmanager
def _closed_after(channel: paramiko.Channel, timeout_s: float) -> Iterator[None]:
    """paramiko waits for ever until a host takes a command or its input; a channel that is closed ends that."""

    def close() -> None:
        with suppress(EOFError, OSError, paramiko.SSHException):  # the connection may be gone by then
            channel.close()

    watch = threading.Timer(timeout_s, close)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
