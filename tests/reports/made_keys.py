"""A key pair for tests, and its public half as a file."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner

KEY = Ed25519PrivateKey.generate()
SIGNER = CryptoSigner(KEY)


def public_file(directory: Path) -> Path:
    """Its public key in PEM."""
    path = directory / "public.pem"
    path.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path
