"""Options of nova.conf wherever the files set them: nova*.conf, hiera's nova_config, crudini in scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from preflight.finding import Location
from preflight.shell_source import Command
from preflight.yaml_source import Node

SECTION = re.compile(r"\[(?P<name>[^\]]+)\]\s*\Z")
OPTION = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)\s*[=:]\s*(?P<value>.*)\Z")
TOOLS = ("crudini", "openstack-config")


@dataclass(frozen=True)
class Option:
    """One option as it is set somewhere."""

    name: str
    """section/option, the section in lower case but for DEFAULT, as oslo.config compares it."""
    value: str
    location: Location


def _name(section: str, option: str) -> str:
    return f"{section if section == 'DEFAULT' else section.lower()}/{option}"


def of_file(path: Path, text: str) -> Iterator[Option]:
    """Options of an INI file as oslo.config reads it: `=` or `:`, an indented line continues the value."""
    section, found, lines = "DEFAULT", None, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if line[:1].isspace() and line.strip() and found is not None:
            lines.append(line.strip())
            continue
        if found is not None:
            yield Option(found.name, " ".join([found.value, *lines]).strip(), found.location)
        found, lines = None, []
        if header := SECTION.match(line.strip()):
            section = header["name"]
        elif not line.startswith(("#", ";")) and (option := OPTION.match(line.strip())):
            found = Option(_name(section, option["name"]), option["value"].strip(), Location(path, number))
    if found is not None:
        yield Option(found.name, " ".join([found.value, *lines]).strip(), found.location)


def of_hiera(key: Node, value: Node) -> Iterator[Option]:
    """Options of `nova::config::nova_config` and its like: {section/option: {value: …}}."""
    if not key.text.startswith("nova::config::"):
        return
    for name, setting in value.items():
        section, _, option = name.text.partition("/")
        node = setting.get("value") or setting
        yield Option(_name(section, option), node.text, name.location)


def of_command(command: Command) -> Iterator[Option]:
    """An option set by crudini or openstack-config in a nova.conf."""
    words = command.words
    for tool in TOOLS:
        if tool in words and "--set" in words and "nova" in command.text:
            rest = words[words.index("--set") + 1 :]
            if len(rest) >= 3:
                yield Option(_name(rest[1], rest[2]), rest[3] if len(rest) > 3 else "", command.location)
