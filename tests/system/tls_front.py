"""TLS before a lab's APIs, with certificates of an authority that nobody knows: a cloud's load balancer."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CHUNK_BYTES = 65536
REDIRECT = (b"\r\nLocation: http://", b"\r\nLocation: https://")
"""APIs that do not know of the TLS before them redirect past it; HAProxy of TripleO corrects that in the same way."""


def make_authority(folder: Path, address: str) -> tuple[Path, Path]:
    """Files of an authority's certificate, and of a certificate with its key for an address."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of our own")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    now = datetime.datetime.now(datetime.UTC)

    def certificate(name: x509.Name, public: ec.EllipticCurvePublicKey, is_authority: bool) -> x509.Certificate:
        made = x509.CertificateBuilder(
            issuer_name=authority,
            subject_name=name,
            public_key=public,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(hours=1),
            not_valid_after=now + datetime.timedelta(days=1),
        ).add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        if not is_authority:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            made = made.add_extension(names, critical=False)
        return made.sign(authority_key, hashes.SHA256())

    ours, theirs = folder / "authority.pem", folder / "server.pem"
    pem = serialization.Encoding.PEM
    ours.write_bytes(certificate(authority, authority_key.public_key(), is_authority=True).public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    theirs.write_bytes(secret + certificate(subject, key.public_key(), is_authority=False).public_bytes(pem))
    return ours, theirs


class TlsFronts:
    """Ports that speak TLS, each in front of an API."""

    def __init__(self, server_pem: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(server_pem)
        self._listeners: list[socket.socket] = []
        self.connections = 0
        """How many were made with TLS."""

    def before(self, url: str) -> str:
        """The same URL with https, at a port of its own."""
        parts = urlsplit(url)
        host, port = str(parts.hostname), int(parts.port or 80)
        listener = socket.create_server((host, 0), backlog=64)
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, (host, port)), daemon=True).start()
        return parts._replace(scheme="https", netloc=f"{host}:{listener.getsockname()[1]}").geturl()

    def close(self) -> None:
        """Take no more connections."""
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket, target: tuple[str, int]) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, target), daemon=True).start()

    def _serve(self, connection: socket.socket, target: tuple[str, int]) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(connection, server_side=True) as near:
            self.connections += 1
            with socket.create_connection(target) as far:
                threading.Thread(target=_pump, args=(far, near, REDIRECT), daemon=True).start()
                _pump(near, far)


def _pump(source: socket.socket, target: socket.socket, replaced: tuple[bytes, bytes] = (b"", b"")) -> None:
    with contextlib.suppress(OSError, ValueError):
        for data in iter(lambda: source.recv(CHUNK_BYTES), b""):
            target.sendall(data.replace(*replaced) if replaced[0] else data)
        target.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def fronts(folder: Path, address: str) -> Iterator[tuple[TlsFronts, Path]]:
    """Fronts for APIs at one address, and the file of their authority."""
    authority, server = make_authority(folder, address)
    made = TlsFronts(server)
    try:
        yield made, authority
    finally:
        made.close()
