"""Opens one SSH connection: the key, the host's key, and paramiko's exceptions in our words."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import paramiko

from access.errors import AuthenticationError, ConnectError, HostKeyError, shorten
from access.ssh_config import Login
from access.ssh_host_keys import Policy
from access.ssh_keys import Keys, about_certificate
from access.ssh_known_hosts import DEFAULT_PORT

CONNECT_TIMEOUT_S = 15.0
ENDS_S = 5.0
"""How long a command may take to end once its streams are closed."""
PROHIBITED, CONNECT_FAILED = 1, 2
"""Reasons for which a host opens no channel: https://www.rfc-editor.org/rfc/rfc4254#section-5.1"""


class ProxyCommand:
    """A command whose standard streams lead to the host, as ssh_config's ProxyCommand."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.socket, theirs = socket.socketpair()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the connection
        with theirs:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"], stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._errors
            )

    def end(self) -> str:
        """End it; returns what it printed on standard error."""
        self.socket.close()
        try:
            self._process.wait(timeout=ENDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.seek(0)
        with self._errors:
            return self._errors.read().decode("utf-8", "replace").strip()


class Client(paramiko.SSHClient):
    """A connection that ends the command which it goes through."""

    proxy: ProxyCommand | None = None

    def close(self) -> str:  # type: ignore[override]
        """Close it; returns what its command printed on standard error."""
        super().close()
        proxy, self.proxy = self.proxy, None
        return proxy.end() if proxy is not None else ""


def connected(name: str, login: Login, tunnel: Callable[[], Any]) -> Client:
    """A new connection whose host key was checked; `tunnel` gives the channel through another host, or None.

    Raises:
        ConnectError: the host cannot be reached; AuthenticationError, HostKeyError below it.
    """
    client, keys, endpoint = Client(), Keys(login), login.endpoint
    address, port = login.host_key_name or endpoint.address, DEFAULT_PORT if login.host_key_name else endpoint.port
    policy = Policy(login.known_hosts, address, port)
    client.set_missing_host_key_policy(policy)
    try:
        client.connect(
            address,
            port=port,
            username=endpoint.user,
            timeout=CONNECT_TIMEOUT_S,
            banner_timeout=CONNECT_TIMEOUT_S,
            auth_timeout=CONNECT_TIMEOUT_S,
            sock=tunnel() or _own_socket(client, login),
            auth_strategy=cast(Any, keys),  # it has the one method that is used
            transport_factory=cast(Any, policy.transport),
        )
    except Exception as error:
        said = client.close()
        _translate(error, name, login, keys, said)
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(30)
        if isinstance(transport.sock, socket.socket) and transport.sock.family != socket.AF_UNIX:
            # paramiko leaves Nagle's algorithm on: a command's second packet waits 40 ms for an acknowledgement
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def _own_socket(client: Client, login: Login) -> Any:
    """The command of ssh_config, or a socket where the host's key has another name than its address."""
    if login.proxy_command:
        client.proxy = ProxyCommand(login.proxy_command)
        return client.proxy.socket
    if login.host_key_name:
        return socket.create_connection((login.endpoint.address, login.endpoint.port), CONNECT_TIMEOUT_S)
    return None


def refused_tunnel(error: paramiko.SSHException, bastion: str, target: str) -> ConnectError:
    """Why a host that others are reached through opens no way to one of them."""
    code = getattr(error, "code", None)
    if code == PROHIBITED:
        return ConnectError(
            f"{bastion} takes the login, and refuses to forward to {target}",
            remedy="allow it there: AllowTcpForwarding, PermitOpen and Match in sshd_config, `restrict` or "
            "`no-port-forwarding` in authorized_keys",
        )
    if code == CONNECT_FAILED:
        return ConnectError(
            f"{bastion} cannot reach {target}",
            remedy="is it up, is the address right as that host sees it, does a firewall stand between the two?",
        )
    return ConnectError(f"{bastion} opens no way to {target}: {error or type(error).__name__}")


def _translate(error: Exception, name: str, login: Login, keys: Keys, said: str) -> NoReturn:
    endpoint = login.endpoint
    where = f"{name} ({endpoint.user}@{endpoint.address} port {endpoint.port})"
    known_hosts = " or ".join(map(_shown, login.known_hosts)) or "any file of known_hosts that ssh_config names"
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
            f"{where} refused our key or user: {error}; offered: {', '.join(keys.offered) or 'no key'}{_unfit(keys)}",
            remedy=f"check user and key_file ({endpoint.key_file or 'agent and default keys'}) "
            "in the cloud file, and authorized_keys there",
        ) from error
    if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in str(error):
        through = f"ssh {login.bastions[-1].address} " if login.bastions else ""
        raise HostKeyError(
            f"the host key of {where} is not in {known_hosts}",
            remedy=f"compare its fingerprint by another way, then: "
            f"{through}ssh-keyscan -p {endpoint.port} {endpoint.address} >> {(*login.known_hosts, 'FILE')[0]}",
        ) from error
    if isinstance(error, paramiko.SSHException | OSError | EOFError):
        reason = "no answer in time" if isinstance(error, socket.timeout | TimeoutError) else error
        command = f"\n  ProxyCommand: {login.proxy_command}\n  it printed: {shorten(said)}" if said else ""
        raise ConnectError(
            f"cannot reach {where}: {reason or type(error).__name__}{command}",
            remedy="is it up, is the address right, does a firewall stand between?",
        ) from error
    raise error


def _shown(file: Path) -> str:
    return str(file) if file.exists() else f"{file} (no such file)"


def _unfit(keys: Keys) -> str:
    """What speaks against the certificates that were offered."""
    user = keys.login.endpoint.user
    found = [(where, about_certificate(line, user)) for where, line in keys.certificates]
    return "".join(f"\n  {where}: {why}" for where, why in found if why)
