"""SSH as people have it, over real sshd: ssh_config, bastions, agents, certificates; each hop's key is checked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab_machines import Machines

from access.endpoint import Bastion, SshEndpoint
from access.errors import AuthenticationError, ConnectError, HostKeyError, InputError
from access.ssh import RemoteHost
from access.ssh_config import SshConfig
from access.ssh_ways import SshWays

PORT, USER = 2222, "heat-admin"


@dataclass(frozen=True)
class Pair:
    """Two machines: one that is asked, and one that others are reached through."""

    machines: Machines
    folder: Path
    target: str
    bastion: str
    names: tuple[str, str]

    @property
    def key(self) -> Path:
        return self.machines.paths.secrets / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def config(self, text: str) -> SshConfig:
        """An ssh_config in which TARGET, BASTION, KEY and KNOWN stand for what they are here."""
        words = {"TARGET": self.target, "BASTION": self.bastion, "KEY": str(self.key), "KNOWN": str(self.known_hosts)}
        for word, value in words.items():
            text = text.replace(word, value)
        file = self.folder / "ssh_config"
        file.write_text(text)
        return SshConfig(file)

    def forwarded(self) -> int:
        """How many connections the bastion has forwarded to the target."""
        log = self.machines.sh(self.names[1], "cat /var/log/sshd.log 2>/dev/null || true")
        return log.count(f"direct_tcpip: originator 127.0.0.1 port 0, target {self.target} port {PORT}")


@pytest.fixture(scope="module")
def running(machines: Machines, compute: str) -> tuple[Machines, str, str]:
    """Two running machines; the second one's sshd tells of forwarded connections."""
    bastion = machines.define("bastion")
    machines.client.boot(bastion)
    machines.sh(bastion, "echo LogLevel DEBUG1 >> /etc/ssh/sshd_config")
    return machines, compute, bastion


@pytest.fixture
def pair(running: tuple[Machines, str, str], tmp_path: Path) -> Pair:
    """Both machines, their host keys known."""
    machines, compute, bastion = running
    lines, addresses = [], []
    for name in (compute, bastion):
        state = machines.client.state(name)
        addresses.append(state["addresses"][0])
        lines += [f"[{addresses[-1]}]:{PORT} {key}\n" for key in state["host_keys"]]
    (tmp_path / "known_hosts").write_text("".join(lines))
    return Pair(machines, tmp_path, addresses[0], addresses[1], (compute, bastion))


def who(host: RemoteHost) -> str:
    """The name of the machine that answers."""
    return host.run("hostname").stdout.strip()


JUMP = """
Host gpu-*
  HostName TARGET
  ProxyJump jump
Host jump
  HostName BASTION
Host *
  Port 2222
  User heat-admin
  IdentityFile KEY
  UserKnownHostsFile KNOWN
"""


def test_proxy_jump_of_ssh_config_is_taken(pair: Pair) -> None:
    """The cloud file names the host as ssh does; address, port, user, key and bastion come from ssh_config."""
    before = pair.forwarded()
    ways = SshWays(pair.config(JUMP))

    assert who(ways.open("compute-0", SshEndpoint(address="gpu-1"))) == pair.names[0]
    assert who(ways.open("another", SshEndpoint(address="gpu-2"))) == pair.names[0]

    assert pair.forwarded() - before == 2
    assert len(ways._bastions) == 1, "one connection to the bastion serves all hosts"


def test_bastions_of_the_cloud_file_need_no_ssh_config(pair: Pair) -> None:
    """Two hops, the second one behind the first."""
    hop = Bastion(address=pair.bastion, port=PORT, user=USER, key_file=pair.key, known_hosts=pair.known_hosts)
    back = hop.model_copy(update={"address": pair.target})
    endpoint = SshEndpoint(
        address=pair.target, port=PORT, user=USER, key_file=pair.key, known_hosts=pair.known_hosts, bastions=(hop, back)
    )
    before = pair.forwarded()

    assert who(SshWays().open("compute-0", endpoint)) == pair.names[0]
    assert pair.forwarded() - before == 1


def test_the_cloud_file_comes_before_ssh_config(pair: Pair) -> None:
    """As options of ssh's command line do; what it leaves out is ssh_config's, also the user."""
    ways = SshWays(pair.config(JUMP.replace("User heat-admin", "User nobody-here").replace("ProxyJump jump", "")))

    assert who(ways.open("compute-0", SshEndpoint(address="gpu-1", user=USER))) == pair.names[0]
    with pytest.raises(AuthenticationError, match="nobody-here@"):
        ways.open("compute-0", SshEndpoint(address="gpu-1"), default_user=USER).run("true")


def test_a_user_that_ssh_config_does_not_name_is_the_cloud_file_s_default(pair: Pair) -> None:
    """Without a User in ssh_config it is not the name of who runs the suite."""
    ways = SshWays(pair.config(JUMP.replace("  User heat-admin\n", "")))

    host = ways.open("compute-0", SshEndpoint(address="gpu-1"), default_user=USER)

    assert host.endpoint.user == USER
    assert host.endpoint.address == pair.target


def test_included_files_and_matches_are_read(pair: Pair) -> None:
    """What ssh itself understands: Include, Match, tokens."""
    (pair.folder / "more").write_text(f"Match originalhost gpu-1\n  HostName {pair.target}\n  Port {PORT}\n")
    text = f"Include {pair.folder}/more\nHost *\n  IdentityFile {pair.key.parent}/id_%%ed25519\n  IdentityFile KEY\n"
    ways = SshWays(pair.config(f"{text}  UserKnownHostsFile KNOWN\n"))

    assert who(ways.open("compute-0", SshEndpoint(address="gpu-1"), default_user=USER)) == pair.names[0]


def test_a_proxy_command_is_run(pair: Pair) -> None:
    """Its tokens are replaced, and its own words are told when it fails."""
    connect = (
        "python3 -c 'import socket,sys,threading,os;s=socket.create_connection((sys.argv[1],int(sys.argv[2])));"
        'threading.Thread(target=lambda:[s.sendall(d) for d in iter(lambda:os.read(0,9999),b"")],daemon=True).start();'
        '[os.write(1,d) for d in iter(lambda:s.recv(9999),b"")]\' %h %p'
    )
    ways = SshWays(pair.config(JUMP.replace("ProxyJump jump", f"ProxyCommand {connect}")))
    host = ways.open("compute-0", SshEndpoint(address="gpu-1"))
    assert who(host) == pair.names[0]
    host.close()

    failing = SshWays(pair.config(JUMP.replace("ProxyJump jump", "ProxyCommand echo no way to %n >&2; exit 1")))
    with pytest.raises(ConnectError, match="it printed: no way to gpu-1"):
        failing.open("compute-0", SshEndpoint(address="gpu-1")).run("true")


def test_a_host_key_alias_is_looked_up(pair: Pair) -> None:
    """Its key is known under the alias, not under an address that changes."""
    pair.known_hosts.write_text(pair.known_hosts.read_text().replace(f"[{pair.target}]:{PORT}", "the-alias"))
    text = JUMP.replace("HostName TARGET", "HostName TARGET\n  HostKeyAlias the-alias")

    assert who(SshWays(pair.config(text)).open("compute-0", SshEndpoint(address="gpu-1"))) == pair.names[0]
    direct = text.replace("ProxyJump jump", "ProxyJump none")
    assert who(SshWays(pair.config(direct)).open("compute-0", SshEndpoint(address="gpu-1"))) == pair.names[0]


@pytest.mark.parametrize("unknown", ["target", "bastion"])
def test_host_keys_are_checked_at_every_hop(pair: Pair, unknown: str) -> None:
    """Also where ssh_config asks for no check: nobody logs in to a machine that may be another one."""
    address = pair.target if unknown == "target" else pair.bastion
    lines = [line for line in pair.known_hosts.read_text().splitlines() if f"[{address}]" not in line]
    pair.known_hosts.write_text("\n".join(lines) + "\n")
    ways = SshWays(pair.config(f"{JUMP}  StrictHostKeyChecking no\n"))

    with pytest.raises(HostKeyError, match=address) as caught:
        ways.open("compute-0", SshEndpoint(address="gpu-1")).run("true")

    assert f"ssh-keyscan -p {PORT} {address}" in str(caught.value)


@pytest.fixture
def sshd_of_the_bastion(pair: Pair) -> Iterator[Callable[[str], None]]:
    """Put a line before the bastion's sshd_config; as it was afterwards."""
    machines, name = pair.machines, pair.names[1]
    machines.sh(name, "cp /etc/ssh/sshd_config /etc/ssh/sshd_config.kept")
    yield lambda line: machines.sh(name, f"sed -i '1i {line}' /etc/ssh/sshd_config") and None  # type: ignore[func-returns-value]
    machines.sh(name, "mv /etc/ssh/sshd_config.kept /etc/ssh/sshd_config")


def test_a_bastion_that_refuses_to_forward_is_named(pair: Pair, sshd_of_the_bastion: Callable[[str], None]) -> None:
    """It is neither a host that is down nor a refused key."""
    sshd_of_the_bastion("AllowTcpForwarding no")

    with pytest.raises(ConnectError, match="refuses to forward to compute-0") as caught:
        SshWays(pair.config(JUMP)).open("compute-0", SshEndpoint(address="gpu-1")).run("true")

    assert "AllowTcpForwarding" in str(caught.value)
    assert pair.bastion in str(caught.value)


def test_what_a_bastion_cannot_reach_and_a_bastion_that_is_down_differ(pair: Pair) -> None:
    """Each is named with its address."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    nobody = SshWays(pair.config(JUMP.replace("HostName TARGET", f"HostName 127.0.0.1\n  Port {port}")))
    with pytest.raises(ConnectError, match="cannot reach compute-0") as caught:
        nobody.open("compute-0", SshEndpoint(address="gpu-1")).run("true")
    assert f"@{pair.bastion}" in str(caught.value)

    down = SshWays(pair.config(JUMP.replace("HostName BASTION", f"HostName 127.0.0.1\n  Port {port}")))
    with pytest.raises(ConnectError, match="cannot reach the bastion jump"):
        down.open("compute-0", SshEndpoint(address="gpu-1")).run("true")


def test_bad_ssh_config_is_told_in_ssh_s_words(pair: Pair) -> None:
    """Neither a traceback nor a host that cannot be reached."""
    with pytest.raises(ConnectError, match="Bad configuration option: proxyjumpp"):
        SshWays(pair.config("ProxyJumpp jump\n")).open("compute-0", SshEndpoint(address="gpu-1"))
    with pytest.raises(InputError, match="there is no file"):
        SshConfig(pair.folder / "absent")
    ring = "Host a*\n  ProxyJump b1\nHost b*\n  ProxyJump a1\n"
    with pytest.raises(ConnectError, match="in a ring"):
        SshWays(pair.config(ring)).open("compute-0", SshEndpoint(address="a0"))
    everything = "Host *\n  HostName TARGET\n  ProxyJump jump\n"
    SshWays(pair.config(everything)).open("compute-0", SshEndpoint(address="gpu-1"))


def test_a_host_is_known_by_the_certificate_of_its_authority(pair: Pair) -> None:
    """No line of known_hosts has its key; sshd shows a certificate where it has one."""
    machines, name, folder = pair.machines, pair.names[0], pair.folder
    lines = [line for line in pair.known_hosts.read_text().splitlines() if f"[{pair.target}]" not in line]
    (folder / "host.pub").write_text(machines.sh(name, "cat /etc/ssh/ssh_host_ed25519_key.pub"))
    Authority.keygen("-t", "ed25519", "-N", "", "-f", str(folder / "ca"))
    Authority.keygen("-s", str(folder / "ca"), "-I", "x", "-h", "-n", pair.target, str(folder / "host.pub"))
    signed, public = (folder / "host-cert.pub").read_text().strip(), (folder / "ca.pub").read_text()
    pair.known_hosts.write_text("\n".join([*lines, f"@cert-authority {pair.target} {public}"]))

    with pytest.raises(HostKeyError, match="is not in"):
        SshWays(pair.config(JUMP)).open("compute-0", SshEndpoint(address="gpu-1")).run("true")
    machines.sh(name, f"echo '{signed}' > /etc/ssh/cert.pub; cp /etc/ssh/sshd_config /etc/ssh/sshd_config.kept")
    machines.sh(name, "sed -i '1i HostCertificate /etc/ssh/cert.pub' /etc/ssh/sshd_config")
    try:
        assert who(SshWays(pair.config(JUMP)).open("compute-0", SshEndpoint(address="gpu-1"))) == name
    finally:
        machines.sh(name, "mv /etc/ssh/sshd_config.kept /etc/ssh/sshd_config")


@dataclass(frozen=True)
class Authority:
    """A certificate authority for SSH users, and a key that only its certificates let in."""

    folder: Path

    def sign(self, *, principals: str = USER, validity: str = "-1h:+1h", name: str = "user") -> Path:
        """A new key with a certificate beside it."""
        key = self.folder / name
        for file in self.folder.glob(f"{name}*"):
            file.unlink()
        self.keygen("-t", "ed25519", "-N", "", "-f", str(key))
        self.keygen("-s", str(self.folder / "ca"), "-I", "test", "-n", principals, "-V", validity, f"{key}.pub")
        return key

    @staticmethod
    def keygen(*words: str) -> None:
        subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)


@pytest.fixture
def authority(pair: Pair) -> Iterator[Authority]:
    """The target trusts its certificates."""
    made = Authority(pair.folder / "ca-folder")
    made.folder.mkdir()
    made.keygen("-t", "ed25519", "-N", "", "-f", str(made.folder / "ca"))
    name, public = pair.names[0], (made.folder / "ca.pub").read_text().strip()
    machines = pair.machines
    machines.sh(name, "cp /etc/ssh/sshd_config /etc/ssh/sshd_config.kept")
    machines.sh(
        name, f"echo '{public}' > /etc/ssh/ca.pub; sed -i '1i TrustedUserCAKeys /etc/ssh/ca.pub' /etc/ssh/sshd_config"
    )
    yield made
    machines.sh(name, "mv /etc/ssh/sshd_config.kept /etc/ssh/sshd_config")


def endpoint_with(pair: Pair, key: Path | None, **more: object) -> SshEndpoint:
    """The target, with another key."""
    given = {"address": pair.target, "port": PORT, "user": USER, "known_hosts": pair.known_hosts, **more}
    return SshEndpoint.model_validate(given | ({"key_file": key} if key else {}))


def test_a_certificate_beside_its_key_logs_in(pair: Pair, authority: Authority) -> None:
    """The host knows the authority only; without the certificate the same key is refused."""
    key = authority.sign()
    assert who(SshWays().open("compute-0", endpoint_with(pair, key))) == pair.names[0]

    elsewhere = Path(f"{key}-cert.pub").rename(pair.folder / "signed.pub")
    with pytest.raises(AuthenticationError, match="offered: "):
        SshWays().open("compute-0", endpoint_with(pair, key)).run("true")
    named = endpoint_with(pair, key, certificate_file=elsewhere)
    assert who(SshWays().open("compute-0", named)) == pair.names[0]
    text = f"Host *\n  IdentityFile {key}\n  CertificateFile {elsewhere}\n"
    assert who(SshWays(pair.config(text)).open("compute-0", endpoint_with(pair, None))) == pair.names[0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"validity": "-2h:-1h"}, "it has expired on "),
        ({"validity": "+1h:+2h"}, "it is not valid before "),
        ({"principals": "somebody"}, f"it is for somebody, the login is {USER}"),
    ],
)
def test_what_speaks_against_a_certificate_is_told(
    pair: Pair, authority: Authority, changes: dict[str, str], why: str
) -> None:
    """The server only says no."""
    with pytest.raises(AuthenticationError, match=why):
        SshWays().open("compute-0", endpoint_with(pair, authority.sign(**changes))).run("true")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """An agent without keys; its socket."""
    path = Path(f"/tmp/agent-{os.getpid()}-{tmp_path.name[-12:]}")
    done = subprocess.run(["ssh-agent", "-s", "-a", str(path)], check=True, capture_output=True, text=True)
    yield path
    os.kill(int(done.stdout.split("SSH_AGENT_PID=")[1].split(";")[0]), signal.SIGTERM)
    path.unlink(missing_ok=True)


def add(agent: Path, key: Path) -> None:
    """ssh-add, with the certificate beside the key."""
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(agent)})


def test_keys_and_certificates_of_an_agent_log_in(
    pair: Pair, authority: Authority, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also at the socket that IdentityAgent names; the key's file is gone."""
    monkeypatch.setenv("HOME", str(pair.folder))
    key = authority.sign()
    add(agent, key)
    key.unlink()
    with pytest.raises(AuthenticationError, match="offered: no key"):
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        SshWays().open("compute-0", endpoint_with(pair, None)).run("true")
    named = SshWays(pair.config(f"Host *\n  IdentityAgent {agent}\n"))
    assert who(named.open("compute-0", endpoint_with(pair, None))) == pair.names[0]
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    assert who(SshWays().open("compute-0", endpoint_with(pair, None))) == pair.names[0]


def test_a_key_with_a_passphrase_is_the_agent_s(pair: Pair, agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The named key is used through the agent, and only that one; without the agent the error says ssh-add."""
    key = pair.folder / "locked"
    key.write_bytes(pair.key.read_bytes())
    key.chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-y", "-f", str(key)], check=True, stdout=(pair.folder / "locked.pub").open("w")
    )
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    add(agent, key)
    Authority.keygen("-p", "-P", "", "-N", "secret", "-f", str(key))
    assert who(SshWays().open("compute-0", endpoint_with(pair, key))) == pair.names[0]

    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(AuthenticationError, match="ssh-add"):
        SshWays().open("compute-0", endpoint_with(pair, key)).run("true")
