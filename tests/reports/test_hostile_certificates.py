"""`verify` reads a folder of a stranger: whatever lies there, it ends soon and says what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from reports.certification.attestation import signed, statement
from reports.certification.certificate import ATTESTATION, verify

SIGNER = CryptoSigner.generate_ed25519()


def a_link_to_an_endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_a_file(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_huge_file(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


HOSTILE = [a_link_to_an_endless_device, a_pipe, a_link_to_a_file, a_folder, a_huge_file]


@pytest.mark.parametrize("make", HOSTILE)
def test_an_attestation_that_is_no_file_is_refused(tmp_path: Path, make) -> None:
    """Neither endless nor waiting: one line names the attestation."""
    make(tmp_path / ATTESTATION)

    found, [mistake] = verify(tmp_path, SIGNER.public_key)

    assert found is None
    assert mistake.startswith(ATTESTATION)


@pytest.mark.parametrize("make", [make for make in HOSTILE if make is not a_huge_file])
def test_a_signed_name_that_is_no_file_is_told(tmp_path: Path, make) -> None:
    """The attestation is genuine, and a file it names was replaced."""
    payload = statement({"records.jsonl": "0" * 64}, "PASSED", {"passedTests": []}, {})
    (tmp_path / ATTESTATION).write_bytes(signed(payload, SIGNER))
    make(tmp_path / "records.jsonl")

    found, mistakes = verify(tmp_path, SIGNER.public_key)

    assert found is not None
    assert mistakes == ["records.jsonl: is no file"]
