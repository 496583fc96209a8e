"""Which keys an SSH login offers, in ssh's order: the named one, or the agent's, then files; a certificate first."""

from __future__ import annotations

import contextlib
import socket
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paramiko
from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import PublicBlob, UnknownKeyType

from access.errors import AuthenticationError
from access.ssh_config import Login

DEFAULT_NAMES = ("id_rsa", "id_ecdsa", "id_ed25519")
"""Of ssh(1), as far as paramiko has their kinds."""
CERTIFICATE = "-cert-v01@openssh.com"
UNUSABLE = (OSError, ValueError, paramiko.SSHException, UnknownKeyType)


class _AgentAt(AgentSSH):
    """The agent behind one socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(path))
        self._connect(connection)  # type: ignore[attr-defined]  # paramiko's own way, without type information


class Keys:
    """Offers the keys of one login to a server; paramiko calls `authenticate`."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.offered: list[str] = []
        """What was tried, in words."""
        self.certificates: list[tuple[str, bytes]] = []
        """Certificates that were offered, each with where it came from."""

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Offer one key after the other until the server takes one.

        Raises:
            paramiko.AuthenticationException: it takes none.
            AuthenticationError: the named key cannot be used.
        """
        refused: paramiko.SSHException | None = None
        for where, key in self._keys():
            self.offered.append(where)
            self._note(where, key)
            try:
                transport.auth_publickey(self.login.endpoint.user, key)
            except paramiko.BadAuthenticationType:
                raise
            except paramiko.AuthenticationException as error:
                refused = error
                if not transport.is_active():
                    break
            else:
                return
        raise refused or paramiko.AuthenticationException("there is no key to offer")

    def _note(self, where: str, key: paramiko.PKey) -> None:
        blob = key.public_blob
        if blob is not None:
            self.certificates.append((where, blob.key_type.encode() + b" " + b64encode(blob.key_blob)))

    def _keys(self) -> Iterator[tuple[str, paramiko.PKey]]:
        endpoint = self.login.endpoint
        agent = self._agent_keys()
        certificates = (endpoint.certificate_file,) if endpoint.certificate_file else self.login.certificate_files
        if endpoint.key_file is not None:
            yield from _named(endpoint.key_file, certificates, agent)
            return
        files = [file for file in self.login.identity_files if file.exists()]
        if not self.login.identity_files:
            files = [file for name in DEFAULT_NAMES if (file := Path.home() / ".ssh" / name).exists()]
        if self.login.uses_agent:
            yield from ((f"the agent's {key.get_name()} {key.comment}".strip(), key) for key in agent)
        for file in files:
            with contextlib.suppress(AuthenticationError):  # as ssh: a key that cannot be used is passed over
                yield from _named(file, certificates, agent)

    def _agent_keys(self) -> Sequence[AgentKey]:
        """Keys of the agent, certificates first; none where it does not answer."""
        try:
            agent = paramiko.Agent() if self.login.agent is None else _AgentAt(self.login.agent)
            return sorted(map(_whole, agent.get_keys()), key=lambda key: CERTIFICATE not in key.get_name())
        except (OSError, paramiko.SSHException):
            return ()


def _whole(key: Any) -> Any:
    """An agent's certificate is offered and named by the bytes that the agent has, not by those of its key."""
    if CERTIFICATE in key.get_name():
        key.inner_key = None
        key.public_blob = PublicBlob(type_=key.get_name(), blob=key.blob)
    return key


def _named(file: Path, certificates: Sequence[Path], agent: Sequence[AgentKey]) -> Iterator[tuple[str, paramiko.PKey]]:
    """One key by its file: with each of its certificates, then alone. Its secret half may be the agent's."""
    held = _held_by(agent, file)
    if held:
        yield from ((f"{file} (held by the agent)", key) for key in held)
        return
    plain = private_key(file)
    if plain.public_blob is not None:  # KEY-cert.pub beside it
        yield f"{file} with {file}-cert.pub", plain
        plain = private_key(file)
        plain.public_blob = None
    for certificate in certificates:
        try:
            signed = private_key(file)
            signed.public_blob = None
            signed.load_certificate(str(certificate))
        except ValueError:
            continue  # it is another key's
        except UNUSABLE as error:
            raise AuthenticationError(
                f"cannot use the certificate {certificate}: {error}", remedy="name the right certificate_file"
            ) from error
        yield f"{file} with {certificate}", signed
    yield str(file), plain


def _held_by(agent: Sequence[AgentKey], file: Path) -> list[AgentKey]:
    """The agent's keys whose public half lies in FILE or FILE.pub: a key with a passphrase, or on a token."""
    texts = [_text(file), _text(Path(f"{file}.pub"))]
    words = {text.split()[1] for text in texts if text.startswith(("ssh-", "ecdsa-", "sk-")) and len(text.split()) > 1}
    return [key for key in agent if b64encode(key.blob).decode() in words]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def private_key(file: Path) -> paramiko.PKey:
    """The key in a file, with the certificate beside it.

    Raises:
        AuthenticationError: it cannot be used.
    """
    # Given a file name, paramiko tries each kind of key in turn and reports the last misfit instead of the refusal.
    remedy = "name the right key_file in the cloud file, or leave it out to use the SSH agent"
    try:
        return paramiko.PKey.from_path(file)
    except (paramiko.PasswordRequiredException, TypeError) as error:
        raise AuthenticationError(
            f"the key {file} has a passphrase", remedy="ssh-add it: the agent's key is used then"
        ) from error
    except UNUSABLE as error:
        raise AuthenticationError(f"cannot use the key {file}: {error}", remedy=remedy) from error


def about_certificate(line: bytes, user: str, *, now: datetime | None = None) -> str:
    """What speaks against a certificate for a user: its time, its names; "" when nothing does, or it cannot be read."""
    try:
        found: Any = load_ssh_public_identity(line)
    except Exception:  # a kind that cryptography does not know
        return ""
    if not isinstance(found, SSHCertificate):
        return ""
    seconds = (now or datetime.now(UTC)).timestamp()
    if seconds >= found.valid_before:
        return f"it has expired on {datetime.fromtimestamp(found.valid_before, UTC):%Y-%m-%d %H:%M} UTC"
    if seconds < found.valid_after:
        return f"it is not valid before {datetime.fromtimestamp(found.valid_after, UTC):%Y-%m-%d %H:%M} UTC"
    names = [name.decode("utf-8", "replace") for name in found.valid_principals]
    if names and user not in names:
        return f"it is for {', '.join(names)}, the login is {user}"
    return ""
