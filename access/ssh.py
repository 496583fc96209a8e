"""One kept SSH connection to a machine: commands, files, and nothing that is not checked.

`RemoteHost` implements `probes.host.Host`. Host keys are checked against known_hosts, an
unknown key is refused. paramiko's exceptions end here.
"""

from __future__ import annotations

import codecs
import posixpath
import select
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import paramiko
from paramiko.pkey import UnknownKeyType

from access.answer import Answer, command_line, why_no_answer
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

CONNECT_TIMEOUT_S = 15.0
OUTPUT_LIMIT_BYTES = 32 * 1024 * 1024
"""A host is not trusted to be brief."""
CHUNK_BYTES = 65536
POLL_S = 0.05
"""How long a deadline may be overlooked."""
NO_EXIT_STATUS = -1
"""Killed by a signal, or the connection ended before it was told."""
REDACTED = "[redacted]"


class RemoteHost:
    """A machine over SSH. Connects at the first use and again when the connection was lost."""

    def __init__(
        self,
        name: str,
        endpoint: SshEndpoint,
        *,
        via: RemoteHost | None = None,
        on_command: Callable[[CommandOutput], None] | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self._name = name
        self.endpoint = endpoint
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
            channel.exec_command(command_line(command, as_root=becomes_root))
            if stdin:
                channel.sendall(stdin.encode())
            channel.shutdown_write()
            exit_code, stdout, stderr = self._collect(channel, command, timeout_s, on_line)
        except (paramiko.SSHException, OSError) as error:
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

    def _refuse(self, stdout: _Stream, stderr: _Stream, exit_code: int, as_root: bool) -> NoReturn:
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
        with self._lock:
            transfer = self._connected().open_sftp()
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

    # -- connection ---------------------------------------------------------------------------

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
        self._client = self._connect()
        return self._client

    def _connect(self) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        endpoint = self.endpoint
        try:
            if endpoint.known_hosts is not None:
                client.load_host_keys(str(endpoint.known_hosts))
            else:
                client.load_system_host_keys()
            client.connect(
                endpoint.address,
                port=endpoint.port,
                username=endpoint.user,
                pkey=_private_key(endpoint.key_file) if endpoint.key_file else None,
                look_for_keys=endpoint.key_file is None,
                allow_agent=endpoint.key_file is None,
                timeout=CONNECT_TIMEOUT_S,
                banner_timeout=CONNECT_TIMEOUT_S,
                auth_timeout=CONNECT_TIMEOUT_S,
                sock=self._tunnel(),
            )
        except Exception as error:
            client.close()
            self._translate(error)
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(30)
            if isinstance(transport.sock, socket.socket):
                # paramiko leaves Nagle's algorithm on: a command's second packet waits 40 ms for an acknowledgement
                transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def _tunnel(self) -> Any:
        if self._via is None:
            return None
        with self._via._lock:
            transport = self._via._connected().get_transport()
        if transport is None:
            raise ConnectError(f"{self!r}: no connection to {self._via!r}")
        return transport.open_channel(
            "direct-tcpip",
            (self.endpoint.address, self.endpoint.port),
            ("127.0.0.1", 0),
            timeout=CONNECT_TIMEOUT_S,
        )

    def _translate(self, error: Exception) -> NoReturn:
        where = f"{self._name} ({self.endpoint.user}@{self.endpoint.address} port {self.endpoint.port})"
        known_hosts = self.endpoint.known_hosts or "~/.ssh/known_hosts"
        if isinstance(error, ConnectError):
            raise error
        if isinstance(error, paramiko.BadHostKeyException):
            raise HostKeyError(
                f"the host key of {where} has changed: it shows {error.key.get_name()} "
                f"{error.key.fingerprint}, {known_hosts} has {error.expected_key.fingerprint}",
                remedy=f"if the machine was installed again, remove its line from {known_hosts}; "
                "otherwise somebody answers in its place",
            ) from error
        if isinstance(error, paramiko.AuthenticationException):
            raise AuthenticationError(
                f"{where} refused our key or user: {error}",
                remedy=f"check user and key_file ({self.endpoint.key_file or 'agent and default keys'}) "
                "in the cloud file, and authorized_keys there",
            ) from error
        if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in str(error):
            raise HostKeyError(
                f"the host key of {where} is not in {known_hosts}",
                remedy=f"compare its fingerprint by another way, then: "
                f"ssh-keyscan -p {self.endpoint.port} {self.endpoint.address} >> {known_hosts}",
            ) from error
        if isinstance(error, paramiko.SSHException | OSError | EOFError):
            reason = "no answer in time" if isinstance(error, socket.timeout | TimeoutError) else error
            raise ConnectError(
                f"cannot reach {where}: {reason or type(error).__name__}",
                remedy="is it up, is the address right, does a firewall stand between?",
            ) from error
        raise error

    # -- output -------------------------------------------------------------------------------

    def _collect(
        self,
        channel: paramiko.Channel,
        command: str,
        timeout_s: float,
        on_line: Callable[[str], None] | None,
    ) -> tuple[int, _Stream, _Stream]:
        deadline = time.monotonic() + timeout_s
        streams = (_Stream(on_line), _Stream(on_line))
        readable = select.poll()
        readable.register(channel, select.POLLIN)
        while True:
            # asked before the streams are read: what comes in between belongs to the command, too
            ended = channel.closed or (channel.eof_received and channel.exit_status_ready())
            received = _feed(channel, streams)
            if received:
                if streams[0].size_bytes + streams[1].size_bytes > OUTPUT_LIMIT_BYTES:
                    self._give_up(CommandError, "more than 32 MiB of output", command, streams)
                continue
            if ended:
                break
            if time.monotonic() > deadline:
                self._give_up(CommandTimeout, f"still running after {timeout_s:g} s", command, streams)
            if channel.eof_received:  # the channel's file stays readable from then on
                channel.status_event.wait(POLL_S)
            else:
                readable.poll(POLL_S * 1000)
        if channel.exit_status == NO_EXIT_STATUS and not self._is_connected():
            self._give_up(CommandError, "the connection was lost", command, streams)
        return channel.exit_status, *streams

    def _is_connected(self) -> bool:
        transport = self._client.get_transport() if self._client is not None else None
        return transport is not None and transport.is_active()

    def _give_up(
        self, error: type[CommandError], reason: str, command: str, streams: tuple[_Stream, _Stream]
    ) -> NoReturn:
        raise error(
            reason,
            command=self.redact(command),
            host=self._name,
            stdout=self.redact(streams[0].text()),
            stderr=self.redact(streams[1].text()),
        )


def _feed(channel: paramiko.Channel, streams: tuple[_Stream, _Stream]) -> bool:
    """Take what has come on stdout and stderr; whether anything had."""
    received = False
    if channel.recv_ready():
        received = streams[0].feed(channel.recv(CHUNK_BYTES))
    if channel.recv_stderr_ready():
        received = streams[1].feed(channel.recv_stderr(CHUNK_BYTES)) or received
    return received


class _Stream:
    """Bytes in; the answer as text and, while it comes, as lines."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._answer = Answer()
        self._on_line = on_line
        self._parts: list[str] = []
        self._rest = ""
        self.size_bytes = 0

    @property
    def has_begun(self) -> bool:
        """Whether the marker of the answer was seen."""
        return self._answer.has_begun

    @property
    def before(self) -> str:
        """What came before the answer."""
        return self._answer.before

    def feed(self, data: bytes) -> bool:
        self.size_bytes += len(data)
        text = self._answer.feed(self._decoder.decode(data))
        self._parts.append(text)
        if self._on_line is not None:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._on_line(line.rstrip("\r"))
        return bool(data)

    def text(self) -> str:
        """The whole answer; a last line without its end is passed on, too."""
        if self._rest and self._on_line is not None:
            self._on_line(self._rest)
            self._rest = ""
        return "".join(self._parts)


def _private_key(file: Path) -> paramiko.PKey:
    # Given a file name, paramiko tries each kind of key in turn and reports the last misfit instead of the refusal.
    remedy = "name the right key_file in the cloud file, or leave it out to use the SSH agent"
    try:
        return paramiko.PKey.from_path(file)
    except paramiko.PasswordRequiredException as error:
        raise AuthenticationError(
            f"the key {file} has a passphrase", remedy="ssh-add it, and leave key_file out"
        ) from error
    except (OSError, ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise AuthenticationError(f"cannot use the key {file}: {error}", remedy=remedy) from error
