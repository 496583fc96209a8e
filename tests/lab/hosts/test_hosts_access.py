"""Machines answer to SSH as servers do, and come back when something was killed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from lab_machines import Machines, wait_until

from lab.hosts.daemon.client import MachineError

Host = Callable[..., str]


@pytest.fixture
def known_hosts(machines: Machines, compute: str) -> str:
    """A file with the machine's host key."""
    state = machines.client.state(compute)
    file = machines.paths.state / "known_hosts"
    file.write_text(f"[{state['addresses'][0]}]:2222 {state['host_keys'][0]}\n")
    return str(file)


@pytest.fixture
def ssh(machines: Machines, compute: str, known_hosts: str) -> Iterator[paramiko.SSHClient]:
    """A connection as heat-admin, host key checked."""
    with paramiko.SSHClient() as client:
        client.load_host_keys(known_hosts)
        client.connect(
            machines.client.state(compute)["addresses"][0],
            port=2222,
            username="heat-admin",
            key_filename=str(machines.paths.secrets / "id_ed25519"),
            allow_agent=False,
            look_for_keys=False,
        )
        yield client


def answer(ssh: paramiko.SSHClient, command: str, pty: bool = False) -> str:
    """Standard output of a command."""
    _, stdout, _ = ssh.exec_command(command, get_pty=pty, timeout=10)
    return str(stdout.read().decode())


def test_commands_sudo_and_terminal(ssh: paramiko.SSHClient) -> None:
    """SSH runs commands in the user's home, gives root by sudo, and opens a terminal."""
    assert answer(ssh, "whoami; pwd; hostname").split() == ["heat-admin", "/home/heat-admin", "compute-0"]
    assert answer(ssh, "sudo id -u").strip() == "0"
    assert answer(ssh, "cat /etc/shadow 2>&1").strip() == "cat: /etc/shadow: Permission denied"
    assert answer(ssh, "tty", pty=True).startswith("/dev/pts/")


def test_files_travel_by_sftp_and_scp(
    machines: Machines, ssh: paramiko.SSHClient, known_hosts: str, tmp_path: Any
) -> None:
    """Files can be copied with sftp and scp."""
    data = os.urandom(300_000)
    (tmp_path / "here").write_bytes(data)
    with ssh.open_sftp() as sftp:
        sftp.put(str(tmp_path / "here"), "there")
    options = [
        "-q",
        "-P",
        "2222",
        "-i",
        str(machines.paths.secrets / "id_ed25519"),
        "-o",
        f"UserKnownHostsFile={known_hosts}",
    ]

    source = f"heat-admin@{machines.client.state('compute-0')['addresses'][0]}:there"
    subprocess.run(["scp", *options, source, str(tmp_path / "back")], check=True)

    assert (tmp_path / "back").read_bytes() == data


def test_testinfra_asks_a_machine(machines: Machines, compute: str, known_hosts: str, tmp_path: Any) -> None:
    """Testinfra works with a machine over SSH."""
    import testinfra

    config = tmp_path / "ssh_config"
    config.write_text(f"Host *\n  Port 2222\n  UserKnownHostsFile {known_hosts}\n")
    address = machines.client.state(compute)["addresses"][0]
    key = machines.paths.secrets / "id_ed25519"

    host = testinfra.get_host(
        f"ssh://heat-admin@{address}", ssh_config=str(config), ssh_identity_file=str(key), sudo=True
    )

    assert host.file("/etc/nova").exists is False
    assert "intel_iommu=on" in host.file("/proc/cmdline").content_string
    assert host.user("heat-admin").uid == 1000


def test_reboot_drops_the_connection_and_the_clock_starts_again(
    machines: Machines, compute: str, ssh: paramiko.SSHClient
) -> None:
    """A reboot ends open connections, and uptime starts again at zero."""
    before = machines.client.state(compute)["boot_id"]

    ssh.exec_command("sudo reboot")
    transport = ssh.get_transport()
    assert transport is not None
    wait_until(lambda: not transport.is_active())
    wait_until(
        lambda: machines.client.state(compute)["boot_id"] != before and machines.client.state(compute)["running"]
    )

    assert float(machines.sh(compute, "cat /proc/uptime").split()[0]) < 60


def test_a_killed_init_is_started_again(machines: Machines, host: Host) -> None:
    """A machine whose init was killed boots again."""
    name = host()
    before = machines.client.state(name)

    os.kill(before["pid"], signal.SIGKILL)
    wait_until(
        lambda: (
            machines.client.state(name)["pid"] not in (None, before["pid"]) and machines.client.state(name)["running"]
        )
    )

    assert machines.sh(name, "hostname").strip() == name


def test_a_killed_daemon_takes_its_machines_up_again(machines: Machines, host: Host) -> None:
    """A new daemon runs the machines that a killed one had."""
    name = host()

    machines.daemon.kill()
    machines.daemon.wait()
    machines.daemon = machines.start()

    wait_until(lambda: machines.client.state(name)["running"])
    assert machines.sh(name, "hostname").strip() == name


def test_a_machine_that_is_off_answers_nobody(machines: Machines, host: Host) -> None:
    """A machine that is off runs no command."""
    name = host()

    state = machines.client.shutdown(name)

    assert (state["power"], state["running"]) == ("off", False)
    with pytest.raises(MachineError, match="switched off"):
        machines.client.run(name, ["true"])


def test_destroyed_is_gone(machines: Machines, host: Host) -> None:
    """A destroyed machine leaves no process, directory, socket or mount."""
    name = host()
    pid = machines.client.state(name)["pid"]

    machines.client.destroy(name)

    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))
    assert not (machines.paths.machines / name).exists()
    assert not [path for path in machines.paths.sockets.iterdir() if name in path.name]
    assert str(machines.paths.machines / name) not in Path("/proc/mounts").read_text()
