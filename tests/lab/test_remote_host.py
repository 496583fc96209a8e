"""What the suite's own SSH connection gives, over a real sshd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab_machines import Machines

from access.endpoint import SshEndpoint
from access.errors import AuthenticationError, CommandError, CommandTimeout, ConnectError, HostKeyError, LoginError
from access.ssh import RemoteHost


@pytest.fixture
def endpoint(machines: Machines, compute: str, tmp_path: Path) -> SshEndpoint:
    """How to reach the machine; its host keys are known."""
    state = machines.client.state(compute)
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("".join(f"[{state['addresses'][0]}]:2222 {key}\n" for key in state["host_keys"]))
    key = machines.paths.secrets / "id_ed25519"
    return SshEndpoint(
        address=state["addresses"][0], port=2222, user="heat-admin", key_file=key, known_hosts=known_hosts
    )


@pytest.fixture
def remote(endpoint: SshEndpoint) -> RemoteHost:
    """The machine as the suite sees it."""
    return RemoteHost("compute-0", endpoint)


def test_both_streams_and_the_exit_code_come_whole(remote: RemoteHost) -> None:
    """Standard output, errors and exit code arrive complete, whatever their size."""
    output = remote.run("seq 200000; seq 100000 >&2; exit 3")

    assert output.exit_code == 3
    assert output.stdout.split() == [str(number) for number in range(1, 200001)]
    assert output.stderr.split() == [str(number) for number in range(1, 100001)]


def test_what_is_printed_last_is_never_lost(remote: RemoteHost) -> None:
    """Output that arrives together with the end of the command is kept."""
    assert {remote.run("echo said").stdout for _ in range(100)} == {"said\n"}


def test_a_lost_connection_is_told_at_once_and_made_again(remote: RemoteHost) -> None:
    """A lost connection is reported at once, not as a time-out, and the next command connects again."""
    with pytest.raises(CommandError, match="the connection was lost") as caught:
        remote.run("echo before; kill -9 $PPID; sleep 60", timeout_s=50)

    assert not isinstance(caught.value, CommandTimeout)
    assert remote.run("echo again").stdout == "again\n"


def test_a_command_that_does_not_end_is_left(remote: RemoteHost) -> None:
    """A command that exceeds its time limit is abandoned, and the error has its output so far."""
    with pytest.raises(CommandTimeout, match="still running") as caught:
        remote.run("echo begun; sleep 60", timeout_s=0.3)

    assert "begun" in str(caught.value)


def test_a_command_ended_by_a_signal_did_not_succeed(remote: RemoteHost) -> None:
    """A command that was ended by a signal counts as failed."""
    assert remote.run("kill -9 $$").exit_code != 0


def test_lines_are_told_as_they_come(remote: RemoteHost) -> None:
    """Lines of output are passed on while the command runs."""
    lines: list[str] = []

    remote.run("echo one; echo two >&2; printf three", on_line=lines.append)

    assert sorted(lines) == ["one", "three", "two"]


def test_what_a_login_prints_is_no_part_of_an_answer(remote: RemoteHost) -> None:
    """A banner in ~/.bashrc comes before every answer, and belongs to none."""
    remote.run("cp -a ~/.bashrc ~/.bashrc.kept 2>/dev/null; echo 'echo Authorized use only; echo so >&2' > ~/.bashrc")
    try:
        output = remote.run("echo answer; echo complaint >&2")
        as_root = remote.run("id -u", as_root=True)
    finally:
        remote.run("rm -f ~/.bashrc; mv ~/.bashrc.kept ~/.bashrc 2>/dev/null")

    assert (output.stdout, output.stderr) == ("answer\n", "complaint\n")
    assert as_root.stdout == "0\n"


def test_a_login_without_a_shell_is_told_with_its_words(remote: RemoteHost, machines: Machines, compute: str) -> None:
    """It is neither a failed command nor an empty answer."""
    remote.run("echo 'echo This account is not available; exit 1' > ~/.bashrc")
    try:
        with pytest.raises(LoginError, match="This account is not available") as caught:
            remote.run("true")
    finally:
        machines.client.run(compute, ["rm", "-f", "/home/heat-admin/.bashrc"])

    assert "/etc/passwd" in str(caught.value)


def test_a_secret_goes_by_standard_input(remote: RemoteHost) -> None:
    """A secret is sent by standard input and is in no list of processes."""
    output = remote.run('read -r word; ps -ef | grep -c "$word"; echo ${#word}', stdin="s3cr3t-word\n")

    assert output.stdout.split()[-1] == "11"


def _known(endpoint: SshEndpoint, text: str) -> SshEndpoint:
    assert endpoint.known_hosts is not None
    endpoint.known_hosts.write_text(text)
    return endpoint


OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqGPqJT0bWu1YqNTpv1eWwQ1hqE0C1Yq0o0m3Q0yqQX"
WRONG: dict[str, tuple[Callable[[SshEndpoint], SshEndpoint], type[ConnectError], str]] = {
    "unknown": (lambda known: _known(known, ""), HostKeyError, "ssh-keyscan -p 2222"),
    "changed": (lambda known: _known(known, f"[{known.address}]:2222 {OTHER_KEY}\n"), HostKeyError, "installed again"),
    "user": (lambda known: known.model_copy(update={"user": "nobody-here"}), AuthenticationError, "user and key_file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_who_cannot_be_trusted_or_refuses_is_told_with_what_to_do(endpoint: SshEndpoint, case: str) -> None:
    """Unknown host key, changed host key and refused user are three errors, each with what to do."""
    change, error, remedy = WRONG[case]

    with pytest.raises(error) as caught:
        RemoteHost("compute-0", change(endpoint)).run("true")

    assert remedy in str(caught.value)
