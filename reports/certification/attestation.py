"""The in-toto test-result attestation of a certificate's files, in a signed DSSE envelope.

https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError  # type: ignore[import-untyped]
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


class Forged(Exception):
    """The envelope is not what the key signed, or not of this kind."""


def statement(
    digests: Mapping[str, str], result: str, tests: Mapping[str, Sequence[str]], configuration: Mapping[str, str]
) -> bytes:
    """The statement's bytes.

    Of files' sha256 by name, PASSED | WARNED | FAILED, test names by field, configuration's sha256.
    """
    subjects = [ResourceDescriptor(name=name, digest={"sha256": digest}).pb for name, digest in sorted(digests.items())]
    used = [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(configuration.items())]
    predicate = {"result": result, "configuration": used, **{field: list(names) for field, names in tests.items()}}
    made = Statement(subjects, PREDICATE_TYPE, predicate)
    made.validate()
    return _bytes(MessageToDict(made.pb))


def _bytes(data: Any) -> bytes:
    return (json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)).encode(errors="replace")


def signed(payload: bytes, signer: CryptoSigner) -> bytes:
    """The envelope's bytes; ed25519 gives the same for the same payload and key."""
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return _bytes(envelope.to_dict())


def opened(envelope: bytes, key: SSlibKey) -> dict[str, Any]:
    """The statement, if this key signed it and no byte of the envelope is another one.

    Raises:
        Forged: which of these is not so.
    """
    try:
        found = Envelope.from_dict(json.loads(envelope))
        is_exact = _bytes(found.to_dict()) == envelope
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Forged("the attestation is no DSSE envelope") from None
    except Exception as error:  # securesystemslib.exceptions.FormatError and the like
        raise Forged(f"the attestation is no DSSE envelope: {type(error).__name__}") from None
    signers = ", ".join(keyid[:16] for keyid in found.signatures)
    try:
        found.verify([key], 1)
    except VerificationError:
        raise Forged(
            f"the signature is not of this key ({key.keyid[:16]}; it names {signers}), or what was signed was changed"
        ) from None
    if not is_exact or len(found.signatures) != 1:
        raise Forged("the attestation's file was changed around what was signed")
    return _statement(found)


def _statement(envelope: Envelope) -> dict[str, Any]:
    try:
        data = json.loads(envelope.payload)
        checked = Statement.copy_from_pb(ParseDict(data, StatementMessage()))
        checked.validate()
    except (ValueError, ParseError) as error:
        raise Forged(f"what was signed is no in-toto statement: {error}") from None
    if envelope.payload_type != PAYLOAD_TYPE or checked.pb.predicate_type != PREDICATE_TYPE:
        raise Forged("what was signed is no test-result attestation")
    return dict(data)
