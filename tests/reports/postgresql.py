"""A PostgreSQL server of our own on loopback, as Debian's package installs it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "hidden-of-the-tests-own-server"


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.fail("PostgreSQL is not installed; run: make setup")
    return found[-1].parent


def _as_server_user(directory: Path) -> list[str]:
    """Initdb refuses root: as root the package's own user runs it."""
    if os.getuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(directory, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """The URL of a database; the server ends with the block."""
    directory.mkdir(mode=0o755)
    programs, become, port = _programs(), _as_server_user(directory), _free_port()
    data, words = directory / "data", directory / "password"
    words.write_text(PASSWORD)
    words.chmod(0o644)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    def run(*command: str) -> None:
        done = subprocess.run(
            [*become, *command], env=environment, cwd="/", capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr

    options = ["--username=acceptance", "--auth=scram-sha-256", f"--pwfile={words}", "--encoding=UTF8", "--no-sync"]
    run(str(programs / "initdb"), "-D", str(data), *options)
    settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={directory} -c fsync=off"
    run(str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(directory / "log"), "-o", settings, "start")
    try:
        yield f"postgresql://acceptance:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        run(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(directory)
