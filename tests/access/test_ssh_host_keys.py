"""Certificates of hosts, made by ssh-keygen: which are good for a host, and what is said of the others."""

from __future__ import annotations

import subprocess
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_identity

from access.errors import HostKeyError
from access.ssh_host_keys import Policy
from access.ssh_known_hosts import keys_of

HOST, PORT = "gpu-7.example.org", 2222


def keygen(*words: str) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two authorities and a host's key."""
    for name in ("ca", "other-ca", "host"):
        keygen("-t", "ed25519", "-N", "", "-f", str(tmp_path / name))
    return tmp_path


def certificate(
    folder: Path, *more: str, ca: str = "ca", names: str = HOST, validity: str = "-1h:+1h"
) -> paramiko.PKey:
    """The host's key with a certificate, as the server shows it."""
    kind = more or ("-h",)
    keygen("-s", str(folder / ca), "-I", "x", *kind, "-n", names, "-V", validity, str(folder / "host.pub"))
    key = paramiko.PKey.from_path(folder / "host")
    key.load_certificate(str(folder / "host-cert.pub"))
    return key


def policy(folder: Path, line: str = "@cert-authority *.example.org CA comment\n") -> Policy:
    """What known_hosts says; CA, OTHER and HOSTKEY stand for keys."""
    for word, name in (("OTHER", "other-ca"), ("CA", "ca"), ("HOSTKEY", "host")):
        line = line.replace(word, " ".join((folder / f"{name}.pub").read_text().split()[:2]))
    (folder / "known_hosts").write_text(line)
    return Policy([folder / "known_hosts", folder / "absent"], HOST, PORT)


@pytest.mark.parametrize(
    "patterns",
    ["*", HOST, f"[{HOST}]:{PORT}", "[*.example.org]:*", "other,*.EXAMPLE.org", "gpu-?.example.org,!gpu-8.example.org"],
)
def test_a_certificate_of_a_known_authority_lets_a_host_in(folder: Path, patterns: str) -> None:
    """Whichever way the line names the host."""
    judged = policy(folder, f"@cert-authority {patterns} CA\n")

    judged.missing_host_key(paramiko.SSHClient(), HOST, certificate(folder))

    assert judged.rank("ssh-ed25519-cert-v01@openssh.com") < judged.rank("ssh-ed25519")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ca": "other-ca"}, "does not name for it"),
        ({"validity": "-2h:-1h"}, "is valid from"),
        ({"validity": "+1h:+2h"}, "is valid from"),
        ({"names": "gpu-8.example.org"}, "is for gpu-8.example.org"),
    ],
)
def test_what_speaks_against_a_certificate_is_told(folder: Path, changes: dict[str, str], why: str) -> None:
    """The host is not let in."""
    with pytest.raises(HostKeyError, match=why):
        policy(folder).missing_host_key(paramiko.SSHClient(), HOST, certificate(folder, **changes))


def test_a_users_certificate_is_none_of_a_host(folder: Path) -> None:
    """An authority may sign both."""
    with pytest.raises(HostKeyError, match="not one of a host"):
        policy(folder).missing_host_key(paramiko.SSHClient(), HOST, certificate(folder, "-z", "1"))


@pytest.mark.parametrize("patterns", ["other.example.org", "*,!gpu-7.example.org", "[gpu-7.example.org]:22"])
def test_an_authority_of_other_hosts_is_none_for_this_one(folder: Path, patterns: str) -> None:
    """It is a host without a known key, as before."""
    judged = policy(folder, f"@cert-authority {patterns} CA\n")

    assert judged.rank("ssh-ed25519-cert-v01@openssh.com") > judged.rank("ssh-ed25519")
    with pytest.raises(paramiko.SSHException, match="not found in known_hosts"):
        judged.missing_host_key(paramiko.SSHClient(), HOST, certificate(folder))


def test_a_bare_key_needs_a_line_of_its_own(folder: Path) -> None:
    """An authority says nothing of it."""
    with pytest.raises(paramiko.SSHException, match="not found in known_hosts"):
        policy(folder).missing_host_key(paramiko.SSHClient(), HOST, paramiko.PKey.from_path(folder / "host"))


def test_revoked_keys_and_authorities_let_nobody_in(folder: Path) -> None:
    """Also where another line has them."""
    of_key = policy(folder, f"{HOST} HOSTKEY\n@revoked * HOSTKEY\n")
    with pytest.raises(HostKeyError, match="its key is revoked"):
        of_key.missing_host_key(paramiko.SSHClient(), HOST, paramiko.PKey.from_path(folder / "host"))

    of_authority = policy(folder, "@cert-authority * CA\n@revoked * CA\n")
    with pytest.raises(HostKeyError, match="authority of its certificate is revoked"):
        of_authority.missing_host_key(paramiko.SSHClient(), HOST, certificate(folder))


def test_a_forged_signature_is_seen(folder: Path) -> None:
    """Any changed byte before it."""
    certificate(folder)
    kind, blob, *_ = (folder / "host-cert.pub").read_text().split()
    raw = bytearray(b64decode(blob))
    raw[raw.index(b"gpu-7")] ^= 1
    forged = load_ssh_public_identity(f"{kind} {b64encode(bytes(raw)).decode()}".encode())

    assert policy(folder).against(forged) == "the signature of its certificate is wrong"


def test_a_certificate_without_end_is_always_valid(folder: Path) -> None:
    """`ssh-keygen -V always:forever`, its default."""
    certificate(folder, validity="always:forever")
    found = load_ssh_public_identity(b" ".join((folder / "host-cert.pub").read_bytes().split()[:2]))

    assert policy(folder).against(found, now=datetime(2100, 1, 1, tzinfo=UTC)) == ""


def test_lines_that_ssh_passes_over_hide_no_key(folder: Path) -> None:
    """Markers, broken keys, kinds that nobody knows, bytes of another encoding."""
    key = " ".join((folder / "host.pub").read_text().split()[:2])
    lines = [
        f"@cert-authority * {key}",
        f"a {key[:-7]}",
        "b ssh-ed448 AAAA",
        "c",
        "# d",
        "e ssh-rsa !",
        f"{HOST} {key}",
    ]
    (folder / "known_hosts").write_bytes(b"\xff\xfe\n" + "\n".join(lines).encode())

    found = keys_of([folder / "known_hosts", folder / "absent"], HOST, PORT)

    assert [item.get_base64() for item in found] == [key.split()[1]]


@pytest.mark.parametrize(
    "line", [f"[{HOST}]:{PORT} KEY", "*.example.org KEY", f"x,{HOST} KEY", "[gpu-?.*]:2222,!y KEY"]
)
def test_a_host_is_found_as_ssh_finds_it(folder: Path, line: str) -> None:
    """By its port, by patterns, without its port; hashed names, too."""
    key = " ".join((folder / "host.pub").read_text().split()[:2])
    file = folder / "known_hosts"
    file.write_text(line.replace("KEY", key) + "\n")
    shown = paramiko.PKey.from_path(folder / "host")
    Policy([file], HOST, PORT).missing_host_key(paramiko.SSHClient(), HOST, shown)

    if "*" not in line:
        keygen("-H", "-f", str(file))
        assert HOST not in file.read_text()
        Policy([file], HOST, PORT).missing_host_key(paramiko.SSHClient(), HOST, shown)


def test_each_of_several_keys_is_good_and_another_one_has_changed(folder: Path) -> None:
    """While keys are exchanged known_hosts has the old and the new one."""
    lines = [" ".join((HOST, *(folder / f"{name}.pub").read_text().split()[:2])) for name in ("ca", "host")]
    (folder / "known_hosts").write_text("\n".join(lines))
    judged = Policy([folder / "known_hosts"], HOST, 22)

    judged.missing_host_key(paramiko.SSHClient(), HOST, paramiko.PKey.from_path(folder / "host"))
    judged.missing_host_key(paramiko.SSHClient(), HOST, paramiko.PKey.from_path(folder / "ca"))
    with pytest.raises(paramiko.BadHostKeyException):
        judged.missing_host_key(paramiko.SSHClient(), HOST, paramiko.PKey.from_path(folder / "other-ca"))
