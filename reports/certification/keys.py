"""Keys by reference: a file of its owner's, or an environment variable. Never on the command line, never shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.signer import CryptoSigner, SSlibKey

from access.errors import InputError

MAKE_ONE = "openssl genpkey -algorithm ed25519 -out KEY.pem, then chmod 600 KEY.pem"
LIMIT_BYTES = 65536


def signer(reference: str) -> CryptoSigner:
    """The signer of a private key: a path, or `env:NAME` of a variable with the key or its path.

    Raises:
        InputError: no key, not ed25519, or one that others may read.
    """
    if "PRIVATE KEY" in reference:
        raise InputError(
            "a private key stood on the command line, where every user of the machine can read it",
            remedy=f"do not use it any more; make a new one ({MAKE_ONE}) and name its file or env:VARIABLE",
        )
    pem = (
        _from_variable(reference.removeprefix("env:")) if reference.startswith("env:") else _from_file(Path(reference))
    )
    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        raise InputError(
            f"the key {reference} has a passphrase", remedy="give one without, from a secret store"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{reference} holds no private key in PEM", remedy=MAKE_ONE) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"the key {reference} is not ed25519", remedy=MAKE_ONE)
    return CryptoSigner(key)


def _from_variable(name: str) -> bytes:
    """Secret stores give either the key itself or a file with it."""
    value = os.environ.get(name, "")
    if not value:
        raise InputError(f"the environment variable {name} is not set", remedy="it holds the private key or its path")
    return value.encode() if value.lstrip().startswith("-----BEGIN") else _from_file(Path(value))


def _from_file(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(LIMIT_BYTES)
    except OSError as error:
        raise InputError(f"the private key {path} cannot be read: {error.strerror}", remedy=MAKE_ONE) from None
    if stat.S_ISREG(mode) and mode & 0o077:
        raise InputError(
            f"the private key {path} can be read by others (mode {stat.S_IMODE(mode):04o})", remedy=f"chmod 600 {path}"
        )
    return content


def public_key(path: Path) -> SSlibKey:
    """A public ed25519 key in PEM.

    Raises:
        InputError: it is none.
    """
    try:
        with path.open("rb") as stream:
            key = load_pem_public_key(stream.read(LIMIT_BYTES))
    except OSError as error:
        raise InputError(f"the public key {path} cannot be read: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{path} holds no public key in PEM", remedy="openssl pkey -in KEY.pem -pubout") from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"the public key {path} is not ed25519")
    return SSlibKey.from_crypto(key)
