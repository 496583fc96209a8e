"""What ssh's own parser makes of ssh_config, in our words; logins over real sshd are in tests/lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from access import ssh_config
from access.endpoint import Bastion, SshEndpoint
from access.errors import ConnectError
from access.ssh_config import Login, SshConfig, login_of
from access.ssh_ways import SshWays


def login(folder: Path, text: str, endpoint: SshEndpoint, default_user: str = "heat-admin") -> Login:
    """The login by a configuration of this text."""
    file = folder / "ssh_config"
    file.write_text(text)
    return login_of(endpoint, SshConfig(file), default_user=default_user)


@pytest.mark.parametrize(
    ("text", "bastions"),
    [
        ("none", ()),
        ("", ()),
        ("jump", (("jump", None, None),)),
        ("anna@jump:2222", (("jump", 2222, "anna"),)),
        ("anna@example.org@jump", (("jump", None, "anna@example.org"),)),
        ("one,two:23", (("one", None, None), ("two", 23, None))),
        ("ssh://anna@jump:2222", (("jump", 2222, "anna"),)),
        ("[2001:db8::1]:2222", (("2001:db8::1", 2222, None),)),
        ("anna@[2001:db8::1]", (("2001:db8::1", None, "anna"),)),
        ("2001:db8::1", (("2001:db8::1", None, None),)),
    ],
)
def test_proxy_jump_names_hosts(text: str, bastions: tuple[tuple[str, int | None, str | None], ...]) -> None:
    """As ssh prints them: with or without user and port, several, addresses of IPv6."""
    found = ssh_config.jumps(text)

    assert tuple((each.address, each.port, each.user) for each in found) == bastions


def test_what_the_file_leaves_out_is_ssh_config_s(tmp_path: Path) -> None:
    """And what both leave out is our default."""
    text = "Host gpu-*\n  HostName 192.0.2.7\n  Port 2022\nHost other\n  User them\n"

    found = login(tmp_path, text, SshEndpoint(address="gpu-1"))
    assert (found.endpoint.address, found.endpoint.port, found.endpoint.user) == ("192.0.2.7", 2022, "heat-admin")

    told = login(tmp_path, text, SshEndpoint(address="gpu-1", port=22, user="root"))
    assert (told.endpoint.port, told.endpoint.user) == (22, "root")

    other = login(tmp_path, text, SshEndpoint(address="other"))
    assert (other.endpoint.address, other.endpoint.port, other.endpoint.user) == ("other", 22, "them")


def test_a_user_of_ssh_config_counts_also_where_it_is_who_runs_the_suite(tmp_path: Path) -> None:
    """`ssh -G` prints that name as well where no User is given."""
    import getpass

    me = getpass.getuser()

    assert login(tmp_path, f"Host *\n  User {me}\n", SshEndpoint(address="h")).endpoint.user == me
    assert login(tmp_path, "", SshEndpoint(address="h")).endpoint.user == "heat-admin"


def test_bastions_of_the_file_replace_those_of_ssh_config(tmp_path: Path) -> None:
    """A ProxyCommand, too."""
    own = Bastion(address="mine")
    text = (
        "Host a\n  ProxyJump theirs\nHost b\n  ProxyCommand nc %h %p\nHost c\n  ProxyJump none\n  ProxyCommand none\n"
    )

    def through(name: str, *bastions: Bastion) -> tuple[list[str], str]:
        found = login(tmp_path, text, SshEndpoint(address=name, bastions=bastions))
        return [each.address for each in found.bastions], found.proxy_command

    assert through("a") == (["theirs"], "")
    assert through("a", own) == (["mine"], "")
    assert through("b") == ([], "nc b 22")
    assert through("b", own) == (["mine"], "")
    assert through("c") == ([], "")


def test_keys_known_hosts_and_agents(tmp_path: Path) -> None:
    """Tokens and ~ stand for what they stand for."""
    text = (
        "Host *\n  IdentityFile ~/keys/%h.%r\n  IdentitiesOnly yes\n  CertificateFile %d/keys/cert.pub\n"
        f"  UserKnownHostsFile {tmp_path}/one {tmp_path}/two\n  GlobalKnownHostsFile none\n  IdentityAgent ~/agent\n"
    )

    found = login(tmp_path, text, SshEndpoint(address="h", user="u"))

    assert found.identity_files == (Path.home() / "keys" / "h.u",)
    assert found.certificate_files == (Path.home() / "keys" / "cert.pub",)
    assert found.known_hosts == (tmp_path / "one", tmp_path / "two")
    assert found.agent == Path.home() / "agent"
    assert not found.uses_agent
    named = login(tmp_path, text, SshEndpoint(address="h", key_file=Path("/k"), known_hosts=Path("/known")))
    assert (named.identity_files, named.known_hosts) == ((), (Path("/known"),))


def test_a_bastion_that_is_its_own_is_told_in_ssh_s_words(tmp_path: Path) -> None:
    """ssh refuses that, too: `Host *` should leave the bastion out."""
    file = tmp_path / "ssh_config"
    file.write_text("Host *\n  ProxyJump jump\n")
    with pytest.raises(ConnectError, match="jumphost loop via jump"):
        SshWays(SshConfig(file)).open("h", SshEndpoint(address="h"))

    file.write_text("Host * !jump\n  ProxyJump jump\n")
    host = SshWays(SshConfig(file)).open("h", SshEndpoint(address="h"))

    assert host._via is not None
    assert host._via.endpoint.address == "jump"
    assert host._via._via is None


def test_an_address_is_no_option_of_ssh(tmp_path: Path) -> None:
    """It comes from a file that another may have written."""
    with pytest.raises(ValueError, match="address"):
        SshEndpoint(address="-oProxyCommand=reboot")
    with pytest.raises((ConnectError, ValueError)):
        login(tmp_path, "Host *\n  HostName -oProxyCommand=reboot\n  ProxyJump -oX=y\n", SshEndpoint(address="h"))
