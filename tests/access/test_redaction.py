"""Secrets are hidden in every form that hosts print, and what only looks like one is not.

Evidence must stay readable.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from access.redaction import HIDDEN, PATTERNS, without_secrets

S = "hunter2Zq9"
FERNET = "gAAAAABlZ2V0X3Rva2VuX29mX2tleXN0b25lX3doaWNoX2lzX2xvbmc="
FORMS = {
    "ini": f"password = {S}",
    "ini with spaces": f"password = {S} and more {S}",
    "ini commented": f"#admin_password = {S}",
    "ini key": f"metadata_proxy_shared_secret={S}",
    "ini memcache": f"memcache_secret_key = {S}",
    "nova connection": f"connection=mysql+pymysql://nova:{S}@10.0.0.1/nova?charset=utf8",
    "connection with slash": f"connection = mysql+pymysql://nova:a/{S}@10.0.0.1/nova",
    "rabbit list": f"transport_url=rabbit://guest:{S}@ctl0:5672,guest:{S}@ctl1:5672,guest:{S}@ctl2:5672/?ssl=0",
    "redis without user": f"backend_url = redis://:{S}@10.0.0.1:6379",
    "ipv6": f"rabbit://guest:{S}@[fd00::1]:5672/",
    "proxy": f"http_proxy=http://user:{S}@proxy.example.com:3128/",
    "git token": "https://1234567890abcdefghijk" + S + "@git.example.com/x.git",
    "export": f"export OS_PASSWORD={S}",
    "export quoted": f"export OS_PASSWORD='{S} {S}'",
    "environment mid-line": f"docker run -e MYSQL_ROOT_PASSWORD={S} mariadb",
    "systemd": f"Environment=OS_PASSWORD={S}",
    "proc environ": f"HOME=/root OS_PASSWORD={S} OS_USERNAME=admin",
    "yaml": f"    rabbit_password: {S}",
    "yaml camel": f"  AdminPassword: {S}",
    "yaml list": f"- keystone_admin_password: {S}",
    "json": f'{{"user": "nova", "password": "{S}", "x": 1}}',
    "json admin": f'{{"adminPass": "{S}"}}',
    "json escaped": f'"{{\\"password\\": \\"{S}\\"}}"',
    "python": f"{{'auth_token': '{S}', 'b': 2}}",
    "python call": f"connect(user='nova', password='{S}')",
    "python unicode": f"{{u'password': u'{S}'}}",
    "ruby": f'"password" => "{S}"',
    "option": f"openstack --os-password {S} token issue",
    "option equals": f"subscription-manager register --username=x --password={S}",
    "option quoted": f"register --password '{S} {S}' --auto-attach",
    "option token": f"--os-auth-token {S}",
    "activation key": f"subscription-manager register --activationkey={S}",
    "mysql -p": f"mysql -unova -p{S} nova -e 'select 1'",
    "sshpass": f"sshpass -p {S} ssh host",
    "ipmitool": f"ipmitool -I lanplus -H bmc -U root -P {S} chassis status",
    "curl -u": f"curl -s -u admin:{S} https://x/",
    "curl --user": f"curl --user 'admin:{S}' https://x/",
    "bearer": f"Authorization: Bearer {S}",
    "basic": f"< authorization: Basic {S}",
    "header quoted": f"curl -H 'X-Auth-Token: {S}' https://x/",
    "subject token": f"X-Subject-Token: {S}",
    "cookie": f"Set-Cookie: session={S}; path=/",
    "debug curl": f'-H "X-Auth-Token: {{SHA256}}{S}" -d x',
    "pem": f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{S}\nabc\n-----END RSA PRIVATE KEY-----",
    "pem cut": f"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl{S}\n",
    "pem encrypted": f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{S}\n-----END ENCRYPTED PRIVATE KEY-----",
    "pgp": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{S}\n-----END PGP PRIVATE KEY BLOCK-----",
    "xml": f"<rabbit_password>{S}</rabbit_password>",
    "xml attribute": f"<graphics type='vnc' passwd='{S}'/>",
    "libpq": f"host=db user=nova password={S} dbname=nova",
    "sql": f"GRANT ALL ON nova.* TO 'nova'@'%' IDENTIFIED BY '{S}'",
    "netrc": f"machine git.example.com login me password {S}",
    "pgpass": f"db.example.com:5432:nova:nova:{S}",
    "log": f"2026-11-30 10:00:00.1 INFO nova: using password={S} for x",
    "log colon": f"cloud-init: generated password: {S}",
    "sentence": f"The new password is {S}",
    "wireguard": f"PrivateKey = {S}",
    "kubernetes": f"  database-password: {S}",
    "access key": f"aws_secret_access_key = {S}",
}
TOKENS = {
    "fernet": f"token {FERNET} is valid",
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "github": "ghp_" + "a1B2" * 9,
    "gitlab": "glpat-" + "a1B2" * 5,
    "ngc": "nvapi-" + "a1B2" * 8,
    "ceph": "key = AQ" + "a1B2" * 9 + "==",
    "shadow": "root:$6$saltsalt$" + "a1B2" * 20 + ":19000:0:99999:7:::",
    "yescrypt": "nova:$y$j9T$saltsalt$" + "a1B2" * 10 + ":19000:0:99999:7:::",
    "aws": "AKIA" + "A1B2" * 4,
}
HARMLESS = [
    'passthrough_whitelist={"vendor_id": "10de", "product_id": "1db4"}',
    "pci_passthrough_devices = 2",
    'alias = { "vendor_id":"10de", "product_id":"1db4", "device_type":"type-PF", "name":"v100" }',
    "Result = PASS",
    "7 passed, 2 failed",
    "Test passed: 3 of 4",
    "BOOT_IMAGE=/vmlinuz-5.14 root=/dev/sda1 intel_iommu=on iommu=pt",
    "0000:84:00.0 3D controller [0302]: NVIDIA Corporation GV100GL [Tesla V100 PCIe 16GB] [10de:1db4] (rev a1)",
    "        Capabilities: [78] Express (v2) Endpoint, MSI 00",
    "NVRM: Xid (PCI:0000:84:00): 48, pid=1234, name=python3, Ch 00000008",
    "Gpu 0000:84:00.0 : 0000:85:00.0",
    "2026-11-30T10:00:00Z http://10.0.0.1:8774/v2.1/servers/detail 200",
    "http://10.0.0.1:5000,http://10.0.0.2:5000",
    "auth_url = http://10.0.0.1:5000/v3",
    "secret_file=/etc/nova/key.pem",
    "password =",
    "password: <None>",
    "Bandwidth: 12.1 GB/s, tokens: none here",
    "nova:x:162:162:OpenStack Nova Daemons:/var/lib/nova:/sbin/nologin",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ stack@undercloud",
    "-rw-r--r-- 1 root root 12 /etc/nova/passwd",
    "-----BEGIN CERTIFICATE-----",
    "PWD=/root",
    "bypass = 1",
    "iommu: bypass=off compass=north",
    "mkdir -p /var/lib/nova",
    "52:54:00:12:34:56",
    "2001:db8:0:1:2:3:4:5",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_hidden(form: str) -> None:
    """Nothing of the secret is left, in the middle of other lines as well."""
    shown = without_secrets(f"before\n{FORMS[form]}\nafter")

    assert S not in shown
    assert HIDDEN in shown
    assert shown.startswith("before\n")
    assert shown.endswith("after") or form in ("pem cut", "pgp")


@pytest.mark.parametrize("form", TOKENS)
def test_a_token_is_known_by_its_shape(form: str) -> None:
    """Without a name beside it."""
    shown = without_secrets(TOKENS[form])

    assert "a1B2a1B2" not in shown
    assert "eyJ" not in shown
    assert FERNET not in shown
    assert "A1B2A1B2" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_secret_stays(line: str) -> None:
    """What hosts print of hardware and configuration is evidence."""
    assert without_secrets(line) == line


def test_what_is_hidden_stays_hidden() -> None:
    """Text passes through twice where a message quotes evidence; the second time changes nothing."""
    for text in (*FORMS.values(), *TOKENS.values()):
        assert without_secrets(without_secrets(text)) == without_secrets(text)


def test_the_page_names_each_form() -> None:
    """docs/redaction.md and the patterns have the same forms."""
    page = (Path(__file__).parents[2] / "docs" / "redaction.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| ([^|]+) \| ", page, re.MULTILINE)) - {"form"} == set(PATTERNS)
