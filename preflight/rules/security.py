"""Passwords, public resources, keys."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Location
from preflight.heat import is_of_a_tenant, resources
from preflight.shell_source import Script

PASSWORD_DEFAULT = rule("GP901")
PASSWORD_SHOWN = rule("GP902")
CREDENTIALS_ON_COMMAND_LINE = rule("GP903")
PUBLIC_FLAVOR = rule("GP904")
PUBLIC_IMAGE = rule("GP905")
UNSAFE_INTERRUPTS = rule("GP906")
READABLE_KEY = rule("GP907")
KEY_AMONG_FILES = rule("GP908")
PASSWORD_IN_FILE = rule("GP909")
PRIVATE_KEY_OUTPUT = rule("GP910")
RULES = (
    PASSWORD_DEFAULT,
    PASSWORD_SHOWN,
    CREDENTIALS_ON_COMMAND_LINE,
    PUBLIC_FLAVOR,
    PUBLIC_IMAGE,
    UNSAFE_INTERRUPTS,
    READABLE_KEY,
    KEY_AMONG_FILES,
    PASSWORD_IN_FILE,
    PRIVATE_KEY_OUTPUT,
)
PASSWORD_NAME = re.compile(r"(?:passw(?:or)?d|secret)[0-9]*\Z", re.I)
COMMAND_LINE_PASSWORD = re.compile(
    r"(?P<option>--root-password\s+password:(?!\s)|--password[= ]|-p\s+password:"
    r"|OS_PASSWORD=)(?P<value>[\"']?[^\s\"'/$]+)"
)
PIPED_PASSWORD = re.compile(
    r"""echo\s+["']?(?:\w+:)?(?P<value>[^\s"'$|]+)["']?\s*\|\s*(?:sudo\s+)?(?:chpasswd|passwd\s+--stdin)"""
)
PLACEHOLDER = re.compile(r"[<{\[\"']*[A-Z][A-Z_]*[>}\]\"']*|\*+|x{3,}|\.{3}|…")
SUBSTITUTION = re.compile(
    r"(?<![\w])s(?P<mark>[/|#,@!])(?P<old>(?:\\.|(?!(?P=mark)).)*)(?P=mark)(?P<new>(?:\\.|(?!(?P=mark)).)*)(?P=mark)"
)
UNSAFE = re.compile(r"allow_unsafe_interrupts=(?:1|[Yy]\b)")
RC_PASSWORD = re.compile(r"^[ \t]*export\s+OS_PASSWORD=(?P<value>[\"']?[^\s\"'$`{]+)", re.M)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    yield from _parameters(deployment)
    for script in deployment.files.scripts:
        yield from _script(script)
    yield from _public_flavors(deployment)
    yield from _outputs(deployment)
    yield from _files(deployment)
    for _, node in deployment.kernel_arguments:
        if UNSAFE.search(node.text):
            yield UNSAFE_INTERRUPTS.at(
                node.location, node.text, "interrupts are not remapped for guests", "use hosts with interrupt remapping"
            )


def _parameters(deployment: Deployment) -> Iterator[Finding]:
    for template in filter(is_of_a_tenant, deployment.files.templates):
        block = template.get("parameters")
        for name, definition in block.items() if block else ():
            if not PASSWORD_NAME.search(name.text) or not definition.is_mapping:
                continue
            default, hidden = definition.get("default"), definition.get("hidden")
            if default is not None and default.text:
                yield PASSWORD_DEFAULT.at(
                    default.location,
                    f"{name.text}: default",
                    "whoever reads this file can log in",
                    "give no default; pass it by --parameter-file that is not committed",
                )
            if hidden is None or hidden.text.lower() not in ("true", "yes", "on"):
                yield PASSWORD_SHOWN.at(name.location, name.text, "Heat shows what is not hidden", "hidden: true")


def _script(script: Script) -> Iterator[Finding]:
    for location, match in script.search(COMMAND_LINE_PASSWORD):
        is_variable = match["option"].startswith("OS_PASSWORD")
        if PLACEHOLDER.fullmatch(match["value"]) or (is_variable and not _is_put_in_by_sed(match)):
            continue
        # the value itself is left out of the report on purpose
        yield CREDENTIALS_ON_COMMAND_LINE.at(
            location,
            match["option"],
            "everybody on that machine can read the process list",
            "read it from a file of mode 0600 (--root-password file:…, an activation key, an rc file)",
        )
    for location, match in script.search(PIPED_PASSWORD):
        yield PASSWORD_IN_FILE.at(
            location,
            f"echo … | {match[0].rsplit('|', 1)[-1].strip()}",
            "whoever reads the script can log in",
            "a key pair, or chpasswd -e with a hash that is passed as a parameter",
        )
    for location, match in script.search(UNSAFE):
        yield UNSAFE_INTERRUPTS.at(
            location, match[0], "interrupts are not remapped for guests", "use hosts with interrupt remapping"
        )
    for command in script.commands():
        if command.runs("openstack", "image", "create") and "--public" in command.words:
            yield PUBLIC_IMAGE.at(
                command.location,
                "--public",
                "the image is every project's",
                "--shared, and `openstack image add project`",
            )
        gpu = any("pci_passthrough" in setting for setting in command.options("--property"))
        if command.runs("openstack", "flavor", "create") and gpu and "--private" not in command.words:
            yield PUBLIC_FLAVOR.at(
                command.location,
                command.text,
                "flavors are public unless said otherwise",
                "--private --project PROJECT",
            )


def _is_put_in_by_sed(match: re.Match[str]) -> bool:
    """Whether the assignment stands in the new half of a sed substitution; the old half only looks for it."""
    return any(
        change.start("new") <= match.start() < change.end("new")
        for change in SUBSTITUTION.finditer(match.string)
        if "sed" in match.string[: change.start()]
    )


def _public_flavors(deployment: Deployment) -> Iterator[Finding]:
    for template in deployment.files.templates:
        for name, resource in resources(template):
            kind = resource.get("type")
            specs = resource.find("properties", "extra_specs")
            if kind is None or kind.text != "OS::Nova::Flavor" or specs is None:
                continue
            gpu = any("pci_passthrough" in key.text for key, _ in specs.items())
            public = resource.find("properties", "is_public")
            if gpu and (public is None or public.text.lower() in ("true", "yes", "on")):
                yield PUBLIC_FLAVOR.at(
                    public.location if public else name.location,
                    name.text,
                    "is_public is true (also when it is not written)",
                    "is_public: false, and tenants: [the project]",
                )


def _outputs(deployment: Deployment) -> Iterator[Finding]:
    for template in deployment.files.templates:
        block = template.get("outputs")
        for node in block.walk() if block else ():
            for key, value in node.items():
                path = [element.text for element in value.elements()]
                if key.text == "get_attr" and path[-1:] == ["private_key"]:
                    yield PRIVATE_KEY_OUTPUT.at(
                        value.location,
                        ".".join(path),
                        "the key can be read again at any time",
                        "make the key pair outside and give Heat the public key",
                    )


def _files(deployment: Deployment) -> Iterator[Finding]:
    for path in deployment.files.key_files:
        if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            yield READABLE_KEY.at(
                Location(path),
                path.name,
                f"its mode is {stat.S_IMODE(path.stat().st_mode):04o}",
                f"chmod 600 {path.name}",
            )
    for location in deployment.files.keys:
        yield KEY_AMONG_FILES.at(
            location, location.path.name, "whoever gets the files gets the key", "keep it elsewhere, name it by path"
        )
    for path in deployment.files.rc_files:
        for match in RC_PASSWORD.finditer(deployment.files.texts[path]):
            line = deployment.files.texts[path].count("\n", 0, match.start("value")) + 1
            yield PASSWORD_IN_FILE.at(
                Location(path, line),
                "OS_PASSWORD=",
                "the rc file holds the password itself",
                "ask for it, or read it from a file of mode 0600",
            )
