"""A cloud file holds no secret: it is named by reference, wherever it would stand."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from access.errors import CloudFileError
from cloud_file.loading import CLOUDS_DIRECTORY, load

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n"
PGP = "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0B\n-----END CERTIFICATE-----\n"

SECRETS: dict[str, tuple[tuple[Any, ...], Any]] = {
    "by key": (("deploy", "parameters", "AdminPassword"), "x1"),
    "a number by key": (("deploy", "parameters", "AdminPassword"), 4711),
    "in a list": (("deploy", "parameters", "AdminTokens"), ["x1", "x2"]),
    "in a list of mappings": (("deploy", "parameters", "Passwords"), [{"user": "a", "value": "x1"}]),
    "in a mapping": (("deploy", "parameters", "KeystonePasswords"), {"nova": {"first": "x1"}}),
    "deeper by key": (("deploy", "parameters", "ExtraConfig"), {"a": [{"b": {"nova::db::password": "x1"}}]}),
    "of encryption": (("deploy", "parameters", "HeatAuthEncryptionKey"), "x1"),
    "of Ceph": (("deploy", "parameters", "CephClientKey"), "AQDLOh1VgEp6FRAAFzT7Zw+Y9V6JJExQAsRnRQ=="),
    "a PEM block": (("deploy", "parameters", "Text"), KEY),
    "a PEM block in a list": (("deploy", "parameters", "Text"), ["a", {"b": KEY}]),
    "a PGP block": (("deploy", "parameters", "Text"), PGP),
    "a key in base64": (("deploy", "parameters", "Text"), base64.b64encode(KEY.encode()).decode()),
    "of a repository": (("cuda", "repository"), "https://user:x1y2@mirror.example/cuda.repo"),
    "of the samples": (("cuda", "samples_archive"), "https://user:x1y2@mirror.example/samples.tar.gz"),
    "a token for a user": (
        ("cuda", "repository"),
        "https://ghp_0123456789012345678901234567890123@a.example/cuda.repo",
    ),
    "in a query": (("cuda", "repository"), "https://mirror.example/cuda.repo?access_token=x1y2"),
    "a signature in a query": (("cuda", "samples_archive"), "https://a.example/s.tar.gz?se=2026&sig=x1y2"),
    "a key in a query": (("cuda", "repository"), "https://a.example/cuda.repo?key=x1y2"),
    "a signed URL": (("cuda", "samples_archive"), "https://a.example/s.tar.gz?X-Amz-Signature=0123abcd"),
    "of a message queue": (
        ("deploy", "parameters", "Transport"),
        "rabbit://guest:x1y2@ctl0:5672,guest:x1y2@ctl1:5672/",
    ),
    "of a database in a list": (("deploy", "parameters", "Urls"), ["mysql+pymysql://nova:x1y2@ctl0/nova"]),
    "in words": (("deploy", "parameters", "Script"), "curl --header 'X-Auth-Token: 0123456789abcdef'"),
    "of a proxy in packages": (("image", "packages"), ["gcc", "https://user:x1y2@mirror.example/a.rpm"]),
    "in a property": (("image", "properties"), {"os_admin_password": "x1"}),
}
HARMLESS: dict[str, tuple[tuple[Any, ...], Any]] = {
    "PCI passthrough": (("deploy", "parameters", "NovaPCIPassthrough"), [{"vendor_id": "10de", "product_id": "15f8"}]),
    "a certificate": (("deploy", "parameters", "SSLCertificate"), CERTIFICATE),
    "how long tokens live": (("deploy", "parameters", "TokenExpiration"), 3600),
    "which tokens": (("deploy", "parameters", "KeystoneTokenProvider"), "fernet"),
    "how passwords look": (("deploy", "parameters", "KeystonePasswordRegex"), "^.{8,}$"),
    "how long tokens are kept": (("deploy", "parameters", "MemcachedTokenCacheTime"), 300),
    "a truth about passwords": (("deploy", "parameters", "PasswordAuthentication"), False),
    "a file with a password": (("deploy", "parameters", "VncPasswordFile"), "/etc/vnc"),
    "a URL with a port": (("cuda", "repository"), "http://mirror.example:8080/cuda.repo"),
    "a URL with a user": (("deploy", "parameters", "Source"), "ssh://git@git.example:22/x.git"),
    "a URL with a harmless query": (("cuda", "samples_archive"), "https://a.example/s.tar.gz?version=12.4&arch=x86_64"),
    "a DNS server": (("deploy", "parameters", "DnsServers"), ["192.0.2.1", "2001:db8::1"]),
    "a MAC address": (("deploy", "parameters", "Mac"), "52:54:00:12:34:56"),
    "a hash of a file": (("deploy", "parameters", "Sha256"), "e3b0c44298fc1c149afbf4c8996fb924" * 2),
    "a key of SSH that is public": (
        ("deploy", "parameters", "AuthorizedKeys"),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a@b",
    ),
    "a role": (("tenant", "roles"), ["member", "load-balancer_member"]),
    "the tenant's password by reference": (("tenant", "password"), {"env": "TENANT_PASSWORD"}),
}


def with_value(folder: Path, place: tuple[Any, ...], value: Any) -> Path:
    content = yaml.safe_load((CLOUDS_DIRECTORY / "lab.yaml").read_text(encoding="utf-8"))
    node = content
    for step in place[:-1]:
        node = node.setdefault(step, {})
    node[place[-1]] = value
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file


@pytest.mark.parametrize(("place", "value"), SECRETS.values(), ids=SECRETS)
def test_a_written_secret_is_refused_and_not_repeated(tmp_path: Path, place: tuple[Any, ...], value: Any):
    with pytest.raises(CloudFileError, match=r"name it by reference, \{env: NAME\} or \{file: PATH\}") as raised:
        load(with_value(tmp_path, place, value))

    said = str(raised.value)
    assert ".".join(place) in said
    assert not any(secret in said for secret in ("x1", "4711", "MIIE", "0123", "lQOYBF", "LOh1V"))


@pytest.mark.parametrize(("place", "value"), HARMLESS.values(), ids=HARMLESS)
def test_what_only_sounds_like_a_secret_is_taken(tmp_path: Path, place: tuple[Any, ...], value: Any):
    load(with_value(tmp_path, place, value))


def test_a_reference_names_one_source(tmp_path: Path):
    with pytest.raises(CloudFileError, match="exactly one of env and file"):
        load(with_value(tmp_path, ("tenant", "password"), {"env": "A", "file": "/b"}))
