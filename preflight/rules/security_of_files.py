"""Keys that others can read for a while, policies that open the cards, passwords that everybody knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Location
from preflight.shell_source import Script

READABLE_FOR_A_WHILE = rule("GP911")
OPEN_POLICY = rule("GP912")
KNOWN_PASSWORD = rule("GP913")
RULES = (READABLE_FOR_A_WHILE, OPEN_POLICY, KNOWN_PASSWORD)
KEY_TO_FILE = re.compile(
    r"\b(?:openstack\s+keypair\s+create|nova\s+keypair-add"
    r"|openstack\s+stack\s+output\s+show\b.*private_key)\b.*?[^>]>\s*(?P<file>[^\s>;&|]+)"
)
UMASK = re.compile(r"\bumask\s+0?[0-7]?77\b")
BINDING_PROFILE = re.compile(r"(?:create|update)_port:binding:profile\Z")
ADMIN_ONLY = re.compile(r"admin_only|role:admin|is_admin|role:service|service_api|!\Z|^rule:context_is_admin$")
PASSWORD_PARAMETER = re.compile(r"\w*(?:Password|Passwd)\Z")
KNOWN = {
    "redhat",
    "password",
    "passw0rd",
    "admin",
    "secret",
    "changeme",
    "123456",
    "calvin",
    "root",
    "stack",
    "openstack",
    "letmein",
    "test",
    "qwerty",
}
BMC_PASSWORD = re.compile(r'"pm_password"\s*:\s*"(?P<value>[^"]*)"')


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for script in deployment.files.scripts:
        yield from _keys(script)
    yield from _policies(deployment)
    yield from _passwords(deployment)


def _keys(script: Script) -> Iterator[Finding]:
    if UMASK.search(script.text):
        return
    for location, found in script.search(KEY_TO_FILE):
        yield READABLE_FOR_A_WHILE.at(
            location,
            found[0],
            f"{found['file']} has the mode of the umask until chmod, and is emptied even when the command fails",
            f"(umask 077; … >{found['file']}.new) && mv {found['file']}.new {found['file']}",
        )


def _policies(deployment: Deployment) -> Iterator[Finding]:
    for name, value in deployment.parameters:
        if not name.text.endswith("ApiPolicies"):
            continue
        for _, entry in value.items():
            key, rule = entry.get("key"), entry.get("value")
            if key is None or rule is None or not BINDING_PROFILE.match(key.text) or ADMIN_ONLY.search(rule.text):
                continue
            yield OPEN_POLICY.at(
                rule.location,
                f"{key.text}: {rule.text}",
                "whoever writes pci_slot there is given that device of the host",
                "value: rule:admin_only",
            )


def _passwords(deployment: Deployment) -> Iterator[Finding]:
    for name, value in deployment.parameters:
        if PASSWORD_PARAMETER.match(name.text) and value.is_scalar and value.text.lower() in KNOWN:
            yield KNOWN_PASSWORD.at(
                value.location,
                name.text,
                "it is in every list of passwords",
                "leave it out: the deploy makes one for each service",
            )
    for path in deployment.files.node_lists:
        text = deployment.files.texts[path]
        for found in BMC_PASSWORD.finditer(text):
            if found["value"].lower() in KNOWN:
                line = text.count("\n", 0, found.start()) + 1
                yield KNOWN_PASSWORD.at(
                    Location(path, line),
                    "pm_password",
                    "it is the factory's",
                    "change it in the BMC, keep this file mode 0600",
                )
