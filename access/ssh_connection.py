"""Opens one SSH connection: the key, the host's key, and paramiko's exceptions in our words."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import paramiko
from paramiko.pkey import UnknownKeyType

from access.endpoint import SshEndpoint
from access.errors import AuthenticationError, ConnectError, HostKeyError

CONNECT_TIMEOUT_S = 15.0


def connected(name: str, endpoint: SshEndpoint, tunnel: Callable[[], Any]) -> paramiko.SSHClient:
    """A new connection whose host key was checked; `tunnel` gives the channel through another host, or None.

    Raises:
        ConnectError: the host cannot be reached; AuthenticationError, HostKeyError below it.
    """
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
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
            sock=tunnel(),
        )
    except Exception as error:
        client.close()
        _translate(error, name, endpoint)
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(30)
        if isinstance(transport.sock, socket.socket):
            # paramiko leaves Nagle's algorithm on: a command's second packet waits 40 ms for an acknowledgement
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def _translate(error: Exception, name: str, endpoint: SshEndpoint) -> NoReturn:
    where = f"{name} ({endpoint.user}@{endpoint.address} port {endpoint.port})"
    known_hosts = endpoint.known_hosts or "~/.ssh/known_hosts"
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
            remedy=f"check user and key_file ({endpoint.key_file or 'agent and default keys'}) "
            "in the cloud file, and authorized_keys there",
        ) from error
    if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in str(error):
        raise HostKeyError(
            f"the host key of {where} is not in {known_hosts}",
            remedy=f"compare its fingerprint by another way, then: "
            f"ssh-keyscan -p {endpoint.port} {endpoint.address} >> {known_hosts}",
        ) from error
    if isinstance(error, paramiko.SSHException | OSError | EOFError):
        reason = "no answer in time" if isinstance(error, socket.timeout | TimeoutError) else error
        raise ConnectError(
            f"cannot reach {where}: {reason or type(error).__name__}",
            remedy="is it up, is the address right, does a firewall stand between?",
        ) from error
    raise error


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
