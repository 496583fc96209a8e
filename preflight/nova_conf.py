"""Options of nova.conf, as Nova reads them: the INI text itself, hiera's nova_config, commands that set one option."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from preflight.finding import Location
from preflight.placed import PlacedText
from preflight.shell_source import Command
from preflight.yaml_source import Node

SECTION = re.compile(r"\[(?P<name>[^\]]+)\]\s*\Z")
OPTION = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)\s*[=:]\s*(?P<value>.*)\Z")
TOOLS = ("crudini", "openstack-config")
DEVSTACK = ("iniset", "iniadd", "iniset_multiline")
CONTROL = frozenset({"api", "scheduler", "conductor"})
COMPUTE = frozenset({"compute"})
ALL_SERVICES = CONTROL | COMPUTE
NAMED = {
    **dict.fromkeys(("api", "osapi", "metadata"), frozenset({"api"})),
    "scheduler": frozenset({"scheduler"}),
    "conductor": frozenset({"conductor"}),
    **dict.fromkeys(("compute", "computes", "edpm", "nodeset", "dataplane", "hypervisor", "hypervisors"), COMPUTE),
    **dict.fromkeys(("controller", "controllers", "control", "controlplane", "ctlplane"), CONTROL),
}
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
TEMPLATE = re.compile(r"\{\{|\{%|%\{|<%|\$\{?[A-Za-z(]")
YES = ("true", "1", "yes", "on")


@dataclass(frozen=True)
class Scope:
    """Whose nova.conf a setting reaches."""

    services: frozenset[str] = ALL_SERVICES
    where: str | None = None
    """Host, group, role or label; None for all."""
    dialect: str = "nova"
    """Whose words the setting is written in: a key of data/deployers.yaml."""


EVERYWHERE = Scope()


@dataclass(frozen=True)
class Option:
    """One option as it is set somewhere."""

    name: str
    """section/option, the section in lower case but for DEFAULT, as oslo.config compares it."""
    value: str
    location: Location
    scope: Scope = EVERYWHERE
    place: PlacedText | None = None
    """The value where it stands in the file."""
    node: Node | None = None
    """The value where it is written as YAML, not as text."""
    flaw: str = ""
    """What the deployer makes of a value that it does not write as JSON, in words."""
    remedy: str = ""
    """How the value is to be written instead."""

    @property
    def is_template(self) -> bool:
        """Whether only a renderer knows the value."""
        return bool(TEMPLATE.search(self.value))

    @property
    def is_true(self) -> bool:
        """Whether oslo.config takes the value for true."""
        return self.value.strip().lower() in YES


def services_named(text: str) -> frozenset[str]:
    """The services that a file's, key's or group's name tells, e.g. nova-compute.conf; empty if it tells none."""
    words = {word.lower() for word in WORD.findall(text)}
    return frozenset().union(*(services for word, services in NAMED.items() if word in words))


def option_name(section: str, option: str) -> str:
    """The name of an option as Option has it."""
    return f"{section if section == 'DEFAULT' else section.lower()}/{option}"


def of_text(placed: PlacedText, scope: Scope) -> Iterator[Option]:
    """Options of an INI text as oslo.config reads it: `=` or `:`, an indented line continues the value."""
    section, found, lines = "DEFAULT", None, list[str]()
    for number, line in enumerate(placed.text.replace("\r", "").split("\n")):
        if line[:1].isspace() and line.strip() and found is not None:
            lines.append(line.strip())
            continue
        if found is not None:
            yield _joined(found, lines)
        found, lines = None, []
        if header := SECTION.match(line.strip()):
            section = header["name"]
        elif not line.startswith(("#", ";")) and (option := OPTION.match(line.strip())):
            indent = len(line) - len(line.lstrip())
            value = option["value"].strip()
            where = placed.part(value, number, indent + option.start("value"))
            found = Option(option_name(section, option["name"]), value, placed.at(number, indent), scope, where)
    if found is not None:
        yield _joined(found, lines)


def _joined(option: Option, lines: list[str]) -> Option:
    if not lines:
        return option
    value = " ".join([option.value, *lines]).strip()
    place = option.place and replace(option.place, text=value, is_exact=False)
    return replace(option, value=value, place=place)


def of_hiera(key: Node, value: Node, scope: Scope) -> Iterator[Option]:
    """Options of `nova::config::nova_config` and its like: {section/option: {value: …}}."""
    if not key.text.startswith("nova::config::"):
        return
    for name, setting in value.items():
        section, _, option = name.text.partition("/")
        node = setting.get("value") or setting
        yield Option(option_name(section, option), node.text, name.location, scope)


def of_command(command: Command) -> Iterator[Option]:
    """An option set by crudini or openstack-config in a nova.conf, by DevStack's iniset, or of a charm by juju."""
    words = command.words
    for tool in TOOLS:
        if tool in words and "--set" in words and "nova" in command.text:
            yield from _of_words(command, words[words.index("--set") + 1 :])
    if words and words[0] in DEVSTACK and "NOVA" in command.text.upper():
        yield from _of_words(command, tuple(word for word in words[1:] if word != "-sudo"))


def _of_words(command: Command, rest: tuple[str, ...]) -> Iterator[Option]:
    if len(rest) >= 3:
        scope = Scope(services_named(rest[0].rsplit("/", 1)[-1]) or ALL_SERVICES)
        yield Option(option_name(rest[1], rest[2]), rest[3] if len(rest) > 3 else "", command.location, scope)
