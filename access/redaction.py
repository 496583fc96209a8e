"""Secrets in text of hosts, services and tools are hidden before it is kept or shown.

`without_secrets` is the one place: records, reports and messages pass their text through it. docs/redaction.md lists
the forms; tests/access/test_redaction.py has an example of each.

Each pattern keeps its group `keep` and hides the rest of its match. Repetitions are bounded, so that the time is
linear in the length of the text, whatever a host prints.
"""

from __future__ import annotations

import re

HIDDEN = "********"

_SENSITIVE = (
    r"(?:password|passwd|passphrase|credential|secret"
    r"|(?:private|secret|access|api|auth|encryption|signing|shared|activation|license|account|storage|hmac|master)"
    r"[_-]?key"
    r"|(?<![a-z])token|(?-i:(?<=[a-z])Token)"
    r"|(?<=[_.-])(?:pass|pwd|psk)(?![a-z])|(?-i:(?<=[a-z])Pass(?![a-z]))|^pass(?![a-z]))"
)
"""Part of the name of a setting with a secret value; `passthrough` and `bypass` are none."""
_NAME = rf"(?<![\w.-])(?=[\w.-]{{0,60}}?{_SENSITIVE})[\w.-]{{1,80}}"
_HARMLESS_END = r"(?<!_file)(?<!_path)(?<!_url)(?<!_type)(?<!_ttl)(?<!_expiration)(?<!_timeout)(?<!_driver)(?<!_uuid)"
_QUOTED = r"""(?:"(?:[^"\\\n]|\\.){1,2000}"|'(?:[^'\\\n]|\\.){1,2000}')"""
_EMPTY = r"(?!\s*(?:$|None\b|null\b|<None>|\*{4,}))"
_OPTION = (
    r"--?(?:os-)?(?:[\w-]{0,30}password|auth-token|token|secret|[\w-]{0,20}-secret|passphrase|activationkey|api-key"
    r"|[\w-]{0,20}-token|passwd)"
)
_HEADER = r"(?:(?:Proxy-)?Authorization|X-(?:Auth|Subject|Service|Storage|Vault|API)-?(?:Token|Key)|(?:Set-)?Cookie)"
_HASH = r"\$(?:[156]|2[aby]|5|6|y|7|gy|apr1|argon2id?)\$[^\s:'\"]{8,}"

_NO_ADDRESS = r"(?!(?:[0-9A-Fa-f]{1,4}:){4,7}[0-9A-Fa-f]{1,4}$)"
"""Neither a MAC address nor one of IPv6."""

_FLAGS = re.IGNORECASE | re.MULTILINE


def _pattern(text: str, flags: int = _FLAGS) -> re.Pattern[str]:
    return re.compile(text, flags)


PATTERNS: dict[str, re.Pattern[str]] = {
    "private key block": _pattern(
        r"(?P<keep>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)[\s\S]*?(?=-----END|\Z)", 0
    ),
    "header": _pattern(
        rf"(?P<keep>\b{_HEADER}[\"']?\s*[:=]\s*[\"']?(?:(?:Bearer|Basic|Digest|Token)\s+)?)"
        rf"[^\s\"'].*?(?=[\"']|$)"
    ),
    "URL with user and password": _pattern(
        r"(?P<keep>(?:://|,)[^\s:/@,\"'<>]{0,200}:)(?!\d{1,5}(?:[/,?#\s]|$))"
        r"[^\s\"'<>]{1,500}?(?=@[\w.\[\]:%-]{1,255}(?:[/,?\s\"'<>)}]|$))"
    ),
    "URL with token": _pattern(r"(?P<keep>://)[\w.~%-]{20,200}(?=@[\w.-])"),
    "option of a command": _pattern(rf"(?P<keep>(?<![\w-]){_OPTION}(?:=|\s+))(?:{_QUOTED}|(?![-=])[^\s'\"]{{1,500}})"),
    "user and password of curl": _pattern(
        r"(?P<keep>(?<![\w-])(?:-u|--user|--proxy-user)[ =]?[\"']?[\w.@-]{1,100}:)[^\s\"']{1,500}", re.M
    ),
    "password of mysql, sshpass or ipmitool": _pattern(
        r"(?P<keep>\b(?:mysql\w{0,10}|mariadb[\w-]{0,10}|sshpass|ipmitool|ldapsearch|smbclient)\b"
        r"[^\n]{0,300}?\s-[pPw]\s?)(?![\s-])[^\s]{1,500}",
        re.M,
    ),
    "XML": _pattern(
        rf"(?P<keep><[\w:.-]{{0,40}}{_SENSITIVE}[\w:.-]{{0,40}}(?:\s[^>\n]{{0,200}})?>)[^<\n]{{1,2000}}(?=<)"
    ),
    "quoted name": _pattern(
        rf"(?P<keep>\\?[\"'](?=[\w. -]{{0,60}}?{_SENSITIVE})[\w. -]{{1,80}}{_HARMLESS_END}\\?[\"']\s*(?::|=>|,)\s*u?)"
        rf"(?:\\\"(?:[^\"\\\n]|\\[^\"]){{1,2000}}\\\"|{_QUOTED})"
    ),
    "rest of the line": _pattern(
        rf"^(?P<keep>[ \t]*(?:[#;-]\s*)?(?:export\s+|set\s+|Environment=[\"']?)?"
        rf"{_NAME}{_HARMLESS_END}\s*[=:]{_EMPTY}[ \t]*)(?=\S)[^\n]+"
    ),
    "name and value within a line": _pattern(
        rf"(?P<keep>{_NAME}{_HARMLESS_END}\s?=\s?u?){_EMPTY}(?:{_QUOTED}|[^\s,;&)}}\]\"']{{1,2000}})"
    ),
    "name: value within a line": _pattern(
        rf"(?P<keep>{_NAME}{_HARMLESS_END}:\s?){_EMPTY}(?:{_QUOTED}|[^\s,;)}}\]\"']{{1,2000}})"
    ),
    "words": _pattern(
        rf"(?P<keep>\b(?:identified\s+by|with\s+password|password\s+(?:is|was|to)|login\s+\S{{1,100}}\s+password|"
        rf"new\s+password|PASSWORD)\s+)(?:{_QUOTED}|(?=\S*\d)[^\s'\"]{{6,200}})"
    ),
    "password file": _pattern(
        rf"^(?P<keep>{_NO_ADDRESS}[\w.*-]{{1,255}}:(?:\d{{1,5}}|\*):[\w*-]{{1,64}}:[\w*.-]{{1,64}}:)\S{{1,200}}$", re.M
    ),
    "hash of a password": _pattern(rf"(?P<keep>){_HASH}", 0),
    "Keystone token": _pattern(r"(?P<keep>\b)gAAAAA[\w-]{20,}={0,2}", 0),
    "JSON web token": _pattern(r"(?P<keep>\b)eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?", 0),
    "token by its beginning": _pattern(
        r"(?P<keep>\b)(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abpr]-[\w-]{10,}"
        r"|nvapi-[\w-]{20,}|hvs\.[\w-]{20,}|AKIA[A-Z0-9]{16}|sk-[A-Za-z0-9]{20,})",
        0,
    ),
    "Ceph key": _pattern(r"(?P<keep>\b)AQ[A-Za-z0-9+/]{36}==", 0),
}
"""What is hidden, by the name of its form."""
_NAMES = ("pass", "secret", "token", "key", "credential", "psk", "pwd")
_TRIGGERS: dict[str, tuple[str, ...]] = {
    "private key block": ("private key",),
    "header": ("auth", "token", "cookie", "-key"),
    "URL with user and password": ("@",),
    "URL with token": ("@",),
    "option of a command": ("-",),
    "user and password of curl": ("-u", "user"),
    "password of mysql, sshpass or ipmitool": ("mysql", "mariadb", "sshpass", "ipmitool", "ldapsearch", "smbclient"),
    "words": ("identified", "password"),
    "password file": (":",),
    "hash of a password": ("$",),
    "Keystone token": ("gaaaaa",),
    "JSON web token": ("eyj",),
    "token by its beginning": ("gh", "glpat", "xox", "nvapi", "hvs.", "akia", "sk-"),
    "Ceph key": ("aq",),
}
"""A form is looked for only if one of these is in the text, in lower case; most output has none of them."""


def without_secrets(text: str) -> str:
    """The text with each password, token and key replaced by `HIDDEN`."""
    lowered = text.lower()
    for form, pattern in PATTERNS.items():
        if any(trigger in lowered for trigger in _TRIGGERS.get(form, _NAMES)):
            text = pattern.sub(_hidden, text)
    return text


def _hidden(match: re.Match[str]) -> str:
    return f"{match['keep']}{HIDDEN}"
