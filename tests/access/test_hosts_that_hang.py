"""A host that takes the login and then hangs: every command ends in its time, wherever the host stops."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest

from access import ssh
from access.endpoint import SshEndpoint
from access.errors import CommandError, CommandTimeout
from access.ssh import RemoteHost

LIMIT_S = 0.5
LATEST_S = 15.0
"""Generous: the processors are shared; without an end each of these would wait for ever."""


class Server(paramiko.ServerInterface):
    """Takes every login and session; what it makes of a request is `on_request`."""

    def __init__(self, on_request: Callable[[paramiko.Channel], bool]) -> None:
        self.on_request = on_request

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        return self.on_request(channel)

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        return self.on_request(channel)


@contextmanager
def host(folder: Path, on_request: Callable[[paramiko.Channel], bool]) -> Iterator[RemoteHost]:
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(folder / "key"))
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")

    def serve() -> None:
        connection, _ = listener.accept()
        transport = paramiko.Transport(connection)
        transport.add_server_key(key)
        transport.start_server(server=Server(on_request))

    threading.Thread(target=serve, daemon=True).start()
    endpoint = SshEndpoint(
        address="127.0.0.1", port=port, user="x", key_file=folder / "key", known_hosts=folder / "known_hosts"
    )
    made = RemoteHost("hanging", endpoint)
    yield made
    made.close()
    listener.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Opened at the test's end, so that the server's threads end."""
    made = threading.Event()
    yield made
    made.set()


def ends_in_time(act: Callable[[], object], error: type[CommandError], match: str) -> None:
    started = time.monotonic()
    with pytest.raises(error, match=match):
        act()
    assert time.monotonic() - started < LATEST_S


def test_a_host_that_never_takes_the_command(tmp_path: Path, gate: threading.Event) -> None:
    with host(tmp_path, lambda channel: gate.wait()) as hanging:
        ends_in_time(
            lambda: hanging.run("true", timeout_s=LIMIT_S), CommandTimeout, r"not started within 0\.5 s.*no command"
        )


def test_a_host_that_never_reads_its_input(tmp_path: Path) -> None:
    """SSH's window is full after two megabytes."""
    with host(tmp_path, lambda channel: True) as hanging:
        ends_in_time(
            lambda: hanging.run("cat", stdin="x" * 8_000_000, timeout_s=LIMIT_S), CommandTimeout, "not started within"
        )


def test_a_host_that_drips(tmp_path: Path, gate: threading.Event) -> None:
    """A byte whenever the last one was read: there is always something, and never the end."""

    def drip(channel: paramiko.Channel) -> bool:
        def send() -> None:
            while not gate.wait(0.001) and not channel.closed:
                channel.sendall(b".")

        threading.Thread(target=send, daemon=True).start()
        return True

    with host(tmp_path, drip) as hanging:
        ends_in_time(lambda: hanging.run("true", timeout_s=LIMIT_S), CommandTimeout, "still running after")


def test_a_host_that_never_starts_a_transfer(
    tmp_path: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "TRANSFER_STARTS_S", LIMIT_S)

    def transfer(hanging: RemoteHost) -> None:
        with hanging.open_file("/etc/hostname"):
            pass

    with host(tmp_path, lambda channel: gate.wait()) as hanging:
        ends_in_time(lambda: transfer(hanging), CommandError, "no file transfer")


def test_a_transfer_that_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The subsystem is there and says nothing."""
    monkeypatch.setattr(ssh, "TRANSFER_STARTS_S", LIMIT_S)

    def transfer(hanging: RemoteHost) -> None:
        with hanging.open_file("/etc/hostname"):
            pass

    with host(tmp_path, lambda channel: True) as hanging:
        ends_in_time(lambda: transfer(hanging), CommandError, "no file transfer")
