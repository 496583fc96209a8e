"""Secrets that stand in a cloud file itself, where a reference belongs: {env: NAME} or {file: PATH}.

A value is a secret by its key, at any depth below it, or by what it looks like: a private key, a URL with a password,
a token. What looks like one is decided where secrets are hidden in records, too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from access.redaction import without_secrets
from cloud_file.reading import Location

SECRET_KEY = re.compile(
    r"passw(or)?d|passphrase|secret|token|credential|community|fernet_?keys"
    r"|(activation|private|api|access|auth|encryption|signing|shared|master|hmac|account|storage|license|ceph\w*client)_?key"
    r"|ssl_?key$|(^|_)(pass|pwd|psk)$",
    re.IGNORECASE,
)
HARMLESS_END = re.compile(
    r"(provider|driver|backend|method|type|format|algorithm|policy|expir\w*|timeout|ttl|lifetime|interval|rotation|length"
    r"|size|count|max_?age|time|days|regex|description|file|path|dir(ectory)?|url|uri|endpoint|name|uuid|id|users?|hosts?|enabled?|required)$",
    re.IGNORECASE,
)
"""`TokenProvider`, `PasswordFile`, `SecretName`: about a secret, and none."""
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-|AGE-SECRET-KEY-1")
QUERY = re.compile(
    r"[?&;](?:[\w-]*(?:password|passwd|secret|token|signature|credential)|sig|pwd|(?:[\w-]*[_-])?key)=[^&\s]",
    re.IGNORECASE,
)
ENCODED = re.compile(r"[A-Za-z0-9+/\s]{64,}={0,2}")
REFERENCE = ("env", "file")
BY_REFERENCE = "name it by reference, {env: NAME} or {file: PATH}"


def written_secrets(raw: Any, location: Location = ()) -> Iterator[tuple[Location, str]]:
    """Each secret below a location of the file, and what to write instead."""
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            yield from _below(str(key), value, (*location, key))
    elif isinstance(raw, list):
        for index, value in enumerate(raw):
            yield from written_secrets(value, (*location, index))
    elif isinstance(raw, str) and looks_secret(raw):
        yield location, f"has a secret in it: {BY_REFERENCE}"


def _below(key: str, value: Any, here: Location) -> Iterator[tuple[Location, str]]:
    if not (SECRET_KEY.search(key) and not HARMLESS_END.search(key)):
        yield from written_secrets(value, here)
    elif isinstance(value, Mapping) and value and set(value) <= set(REFERENCE):
        if len(value) != 1:
            yield here, "name exactly one of env and file"
    else:
        yield from ((place, f"is a secret: {BY_REFERENCE}") for place in _scalars(value, here))


def _scalars(value: Any, here: Location) -> Iterator[Location]:
    """Every text and number below a location."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _scalars(each, (*here, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _scalars(each, (*here, index))
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
        yield here


def looks_secret(text: str) -> bool:
    """Whether a text holds a private key, a URL with a password, a token, or a password in words."""
    return (
        bool(PRIVATE_KEY.search(text) or QUERY.search(text)) or _is_encoded_key(text) or without_secrets(text) != text
    )


def _is_encoded_key(text: str) -> bool:
    if not ENCODED.fullmatch(text):
        return False
    try:
        return bool(PRIVATE_KEY.search(base64.b64decode("".join(text.split())[:128]).decode("latin-1")))
    except binascii.Error:
        return False
