"""Whether a host is the one that is meant: its key stands in known_hosts, or an authority there has signed it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import paramiko
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from access.errors import HostKeyError
from access.ssh_known_hosts import AUTHORITY, REVOKED, fits, keys_of, marked_lines

FOREVER = 2**64 - 1


class Transport(paramiko.Transport):
    """Asks for the host's key that can be judged: a server with several shows what is asked for first."""

    def __init__(self, policy: Policy, *words: Any, **more: Any) -> None:
        self.policy = policy
        super().__init__(*words, **more)

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """paramiko's own: certificates first where an authority is known, then the kinds of the known keys."""
        return tuple(sorted(super().preferred_keys, key=self.policy.rank))


class Policy(paramiko.MissingHostKeyPolicy):
    """Judges a host by its key or its certificate; paramiko is given no keys of its own."""

    def __init__(self, files: Sequence[Path], address: str, port: int) -> None:
        self.address = address
        self.known = keys_of(files, address, port)
        marked = marked_lines(files, (address, f"[{address}]:{port}"))
        self.authorities = [line.key for line in marked if line.marker == AUTHORITY]
        self.revoked = {line.key for line in marked if line.marker == REVOKED}

    def transport(self, *words: Any, **more: Any) -> paramiko.Transport:
        """What the connection is made with."""
        return Transport(self, *words, **more)

    def rank(self, algorithm: str) -> int:
        """The place of an algorithm of host keys among those that are asked for."""
        kinds = {key.get_name() for key in self.known}
        if "-cert-" in algorithm:
            return 0 if self.authorities else 3
        return 1 if ("ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm) in kinds else 2

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Called by paramiko for every host.

        Raises:
            paramiko.BadHostKeyException: known_hosts has another key of it.
            paramiko.SSHException: known_hosts has none.
            HostKeyError: the key is revoked, or its certificate is not good for the host.
        """
        if key.get_base64() in self.revoked:
            _refuse(self.address, "its key is revoked")
        if key in self.known:
            return
        blob = key.public_blob
        if blob is not None and self.authorities:
            against = self.against(load_ssh_public_identity(blob.key_type.encode() + b" " + b64encode(blob.key_blob)))
            if against:
                _refuse(self.address, against)
            return
        if self.known:
            raise paramiko.BadHostKeyException(hostname, key, self.known[0])
        raise paramiko.SSHException(f"Server {hostname!r} not found in known_hosts")

    def against(self, certificate: Any, *, now: datetime | None = None) -> str:
        """What speaks against a certificate; "" if nothing does."""
        return next(self._reasons(certificate, (now or datetime.now(UTC)).timestamp()), "")

    def _reasons(self, certificate: Any, seconds: float) -> Iterator[str]:
        if not isinstance(certificate, SSHCertificate) or certificate.type != SSHCertificateType.HOST:
            yield "its certificate is not one of a host"
            return
        signer = certificate.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1]
        if signer.decode() not in self.authorities:
            fingerprint = b64encode(sha256(b64decode(signer)).digest()).decode().rstrip("=")
            yield f"its certificate is signed by SHA256:{fingerprint}, which known_hosts does not name for it"
        elif signer.decode() in self.revoked:
            yield "the authority of its certificate is revoked"
        try:
            certificate.verify_cert_signature()
        except InvalidSignature:
            yield "the signature of its certificate is wrong"
        if not certificate.valid_after <= seconds < certificate.valid_before:
            yield f"its certificate is valid from {_date(certificate.valid_after)} to {_date(certificate.valid_before)}"
        names = [name.decode("utf-8", "replace") for name in certificate.valid_principals]
        if names and not fits([self.address.lower()], names):
            yield f"its certificate is for {', '.join(names)}"
        if certificate.critical_options:
            yield "its certificate has critical options, which nobody knows for hosts"


def _date(seconds: int) -> str:
    return "always" if seconds in (0, FOREVER) else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _refuse(address: str, why: str) -> NoReturn:
    raise HostKeyError(
        f"the host key of {address} is refused: {why}",
        remedy="let the authority of the hosts sign its key again (ssh-keygen -s … -h), or add its key to known_hosts "
        "after comparing its fingerprint by another way",
    )
