"""What the user's own ssh would do to reach a host: `ssh -G` is asked, so keywords mean what they mean there.

The cloud file comes first, as options of a command line do; then ssh_config; then our defaults. Host keys are always
checked: `StrictHostKeyChecking no` changes nothing here.
"""

from __future__ import annotations

import getpass
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access.endpoint import Bastion, SshEndpoint
from access.errors import ConnectError, InputError

USUAL = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
"""What ssh reads, in its order: https://man.openbsd.org/ssh_config"""
USUAL_KNOWN_HOSTS = Path("~/.ssh/known_hosts")
ASK_TIMEOUT_S = 30.0
NONE = ("", "none")


@dataclass(frozen=True)
class Login:
    """Everything that one login needs, worked out."""

    endpoint: SshEndpoint
    """Address, port and user as they are used."""
    identity_files: tuple[Path, ...] = ()
    """Of ssh_config, when the cloud file names no key."""
    certificate_files: tuple[Path, ...] = ()
    uses_agent: bool = True
    agent: Path | None = None
    """Another socket than SSH_AUTH_SOCK."""
    known_hosts: tuple[Path, ...] = ()
    host_key_name: str | None = None
    """The name under which the host's key is known, where it is not its address (HostKeyAlias)."""
    proxy_command: str = ""
    """Reaches the host on its standard streams; "" without one."""
    bastions: tuple[Bastion, ...] = ()
    """Hosts to go through, the nearest first."""


class SshConfig:
    """One configuration of ssh: the user's own, or one file instead of it."""

    def __init__(self, file: Path | None = None) -> None:
        self._files = USUAL if file is None else (file,)
        if file is not None and not file.expanduser().is_file():
            raise InputError(
                f"ssh_config: there is no file {file}", remedy="name the file that `ssh -F FILE` would take"
            )

    def is_there(self) -> bool:
        """Whether there is anything to read."""
        return any(file.expanduser().is_file() for file in self._files)

    def ask(self, address: str, *, user: str | None, port: int | None, default_user: str) -> Mapping[str, list[str]]:
        """The keywords that ssh would use for an address, in lower case, each with its lines.

        Raises:
            ConnectError: ssh is not installed, or refuses the configuration; quotes what it says.
        """
        lines = [f'Include "{file.expanduser()}"' for file in self._files]
        text = "\n".join([*lines, "Match all", f'  User "{default_user}"', ""])  # the first one that is found counts
        options = [*(["-l", user] if user else []), *(["-p", str(port)] if port else [])]
        with tempfile.NamedTemporaryFile("w", suffix=".ssh_config") as file:
            file.write(text)
            file.flush()
            command = ["ssh", "-F", file.name, "-G", *options, "--", address]
            try:
                done = subprocess.run(
                    command,
                    capture_output=True,
                    text=True,
                    timeout=ASK_TIMEOUT_S,
                    check=False,
                    stdin=subprocess.DEVNULL,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise ConnectError(f"ssh cannot be asked for its configuration: {error}", remedy=_WITHOUT) from error
        if done.returncode:
            said = done.stderr.strip().replace(file.name, "the configuration")
            raise ConnectError(f"ssh refuses its configuration for {address}: {said}", remedy=_WITHOUT)
        found: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            keyword, _, value = line.partition(" ")
            found.setdefault(keyword.lower(), []).append(value)
        return found


_WITHOUT = "see what `ssh -G HOST` says; `ssh_config: none` in the cloud file reads no configuration of ssh"


def login_of(endpoint: SshEndpoint, config: SshConfig | None, *, default_user: str = "") -> Login:
    """How to log in at an endpoint: what it says itself, then what `config` says.

    Raises:
        ConnectError: ssh refuses its configuration.
    """
    default_user = default_user or endpoint.user
    own = {name: getattr(endpoint, name) for name in ("user", "port") if name in endpoint.model_fields_set}
    known = (endpoint.known_hosts,) if endpoint.known_hosts else ()
    if config is None or not config.is_there():
        plain = endpoint.model_copy(update={"user": own.get("user") or default_user})
        return Login(plain, known_hosts=known or (USUAL_KNOWN_HOSTS.expanduser(),), bastions=endpoint.bastions)
    asked = config.ask(endpoint.address, user=own.get("user"), port=own.get("port"), default_user=default_user)
    one = {keyword: lines[0] for keyword, lines in asked.items()}
    real = {"address": one["hostname"], "port": int(one["port"]), "user": one["user"]}
    words = {"h": one["hostname"], "n": endpoint.address, "p": one["port"], "r": one["user"]}
    words |= {"u": getpass.getuser(), "d": str(Path.home()), "%": "%"}
    files = tuple(_path(text, words) for text in asked.get("identityfile", ()) if text not in NONE)
    through = endpoint.bastions or jumps(one.get("proxyjump", ""))
    command = one.get("proxycommand", "")
    agent = one.get("identityagent", "SSH_AUTH_SOCK")
    return Login(
        endpoint.model_copy(update=real),
        identity_files=files if endpoint.key_file is None else (),
        certificate_files=tuple(_path(text, words) for text in asked.get("certificatefile", ()) if text not in NONE),
        uses_agent=one.get("identitiesonly") != "yes" and agent != "none",
        agent=None if agent in ("SSH_AUTH_SOCK", "none") else _path(agent, words),
        known_hosts=known or _known_hosts(one, words),
        host_key_name=one.get("hostkeyalias"),
        proxy_command="" if through or command in NONE else _expanded(command, words),
        bastions=through,
    )


def _known_hosts(one: Mapping[str, str], words: Mapping[str, str]) -> tuple[Path, ...]:
    texts = f"{one.get('userknownhostsfile', '')} {one.get('globalknownhostsfile', '')}".split()
    return tuple(_path(text, words) for text in texts if text not in NONE)


def jumps(text: str) -> tuple[Bastion, ...]:
    """The hosts of ProxyJump: [user@]host[:port], …, or ssh://… each."""
    return tuple(_jump(each.strip()) for each in text.split(",")) if text not in NONE else ()


def _jump(text: str) -> Bastion:
    text = text.removeprefix("ssh://").rstrip("/")
    user, _, place = text.rpartition("@")
    host, colon, port = place.rpartition(":") if not place.endswith("]") and place.count(":") != 0 else (place, "", "")
    if colon and ":" in host and not host.startswith("["):  # an address of IPv6 without a port
        host, port = place, ""
    given: dict[str, Any] = {"user": user, "port": int(port) if port.isdigit() else None}
    address = (host or place).strip("[]")
    return Bastion(address=address, **{name: value for name, value in given.items() if value})


def _expanded(text: str, words: Mapping[str, str]) -> str:
    """The tokens of ssh_config, e.g. %h; those that we do not know stay."""
    parts, rest = [], text
    while "%" in rest:
        before, _, rest = rest.partition("%")
        token, rest = rest[:1], rest[1:]
        parts += [before, words.get(token, f"%{token}")]
    return "".join([*parts, rest])


def _path(text: str, words: Mapping[str, str]) -> Path:
    return Path(_expanded(text.strip('"'), words)).expanduser()
