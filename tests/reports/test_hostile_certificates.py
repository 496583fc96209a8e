"""`verify` reads a folder of a stranger: whatever lies there, it ends soon and says what is wrong."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from pathlib import Path

import pytest
from made_keys import SIGNER, public_file

from access.errors import InputError
from reports.__main__ import main
from reports.certification.attestation import signed, statement
from reports.certification.certificate import ATTESTATION, FILE_LIMIT_BYTES, verify
from reports.run import read


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


@pytest.mark.parametrize("make", HOSTILE)
def test_a_signed_name_that_is_no_file_is_told(tmp_path: Path, make) -> None:
    """The attestation is genuine, and a file it names was replaced."""
    payload = statement({"records.jsonl": "0" * 64}, "PASSED", {"passedTests": []}, {})
    (tmp_path / ATTESTATION).write_bytes(signed(payload, SIGNER))
    make(tmp_path / "records.jsonl")

    found, mistakes = verify(tmp_path, SIGNER.public_key)

    assert found is not None
    assert len(mistakes) == 1
    assert mistakes[0] in ("records.jsonl: is no file", f"records.jsonl: is larger than {FILE_LIMIT_BYTES} bytes")


def deep(directory: Path) -> None:
    """A folder in a folder, three hundred times."""
    here = os.open(directory, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def crowded(directory: Path) -> None:
    """More names than anybody reads."""
    for number in range(3000):
        (directory / f"more-{number}").touch()


def strange(directory: Path) -> None:
    """Names that are no UTF-8, or hold ends of lines."""
    for name in (b"\xff\xfe", b"a\nb", b"\x1b[2J", b" "):
        (Path(os.fsdecode(os.fsencode(directory) + b"/" + name))).touch()


def unreadable(directory: Path) -> None:
    """A socket and a link to itself."""
    (directory / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(directory / "s"))


@pytest.mark.parametrize("fill", [deep, crowded, strange, unreadable])
def test_what_else_lies_in_the_folder_is_told_soon(tmp_path: Path, fill, capsys) -> None:
    """Each is a line, a hundred at most; nothing of it is entered or opened."""
    payload = statement({"records.jsonl": "0" * 64, "../../etc/passwd": "0" * 64}, "PASSED", {"passedTests": []}, {})
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / ATTESTATION).write_bytes(signed(payload, SIGNER))
    fill(tmp_path / "bundle")

    assert main(["verify", str(tmp_path / "bundle"), "--public-key", str(public_file(tmp_path))]) == 1

    told = capsys.readouterr().out
    assert "records.jsonl: is missing" in told
    assert "../../etc/passwd: is missing" in told
    assert told.count("NOT GENUINE") <= 101
    # pytest's own clearing of old folders enters each by one more call of Python
    subprocess.run(["rm", "-rf", str(tmp_path / "bundle")], check=True)


FACTS_OF_A_STRANGER = [b"", b"[]", b"{}", b"null", b'{"date": 1}' * 2, b"[" * 100_000, b"\xff"]


@pytest.mark.parametrize("facts", FACTS_OF_A_STRANGER)
def test_a_signed_folder_that_is_no_certificate_is_none(tmp_path: Path, facts: bytes, capsys) -> None:
    """Whoever has the key may sign anything: it is told and no traceback."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "certificate.json").write_bytes(facts)
    payload = statement({"certificate.json": hashlib.sha256(facts).hexdigest()}, "PASSED", {"passedTests": []}, {})
    (folder / ATTESTATION).write_bytes(signed(payload, SIGNER))

    assert main(["verify", str(folder), "--public-key", str(public_file(tmp_path))]) == 1

    assert "no certificate" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["nowhere", "file", "link"])
def test_a_place_that_is_no_folder_is_told(tmp_path: Path, place: str, capsys) -> None:
    """A missing one, a file, a link that leads nowhere."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("away")

    assert main(["verify", str(tmp_path / place), "--public-key", str(public_file(tmp_path))]) == 64

    said = capsys.readouterr()
    assert "there is no folder" in said.err
    assert "GENUINE" not in said.out + said.err


def test_a_folder_without_a_certificate_is_none(tmp_path: Path, capsys) -> None:
    """Neither genuine nor forged: nobody signed anything there."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "records.jsonl").touch()

    assert main(["verify", str(folder), "--public-key", str(public_file(tmp_path))]) == 64

    assert "holds no certificate" in capsys.readouterr().err


def test_a_public_key_without_end_is_no_key(tmp_path: Path, capsys) -> None:
    """Bounded, as everything that is read."""
    assert main(["verify", str(tmp_path), "--public-key", "/dev/zero"]) == 64

    assert "no public key" in capsys.readouterr().err


def test_a_line_without_end_is_no_line_of_a_run(tmp_path: Path) -> None:
    """A sparse file of a terabyte, shown as records."""
    (tmp_path / "records.jsonl").touch()
    os.truncate(tmp_path / "records.jsonl", 1 << 40)

    with pytest.raises(InputError, match="longer than any line"):
        read(tmp_path)
