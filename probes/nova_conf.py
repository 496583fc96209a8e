"""nova.conf: PCI aliases, device specs and filters, in the names of every release, read as oslo.config reads them.

https://docs.openstack.org/oslo.config/latest/configuration/format.html
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from access.errors import ParseError
from access.host import Host, output_of
from probes.reading import lines_of, read_file

TOOL = "nova.conf"
ALIAS_NAMES = (("pci", "alias"), ("DEFAULT", "pci_alias"))
DEVICE_SPEC_NAMES = (("pci", "device_spec"), ("pci", "passthrough_whitelist"), ("DEFAULT", "pci_passthrough_whitelist"))
FILTER_NAMES = (
    ("filter_scheduler", "enabled_filters"),
    ("filter_scheduler", "scheduler_enabled_filters"),
    ("DEFAULT", "scheduler_default_filters"),
)
AVAILABLE_FILTER_NAMES = (("filter_scheduler", "available_filters"), ("DEFAULT", "scheduler_available_filters"))
REFERENCE = re.compile(r"\$\$|\\\$|\$(?:\{([A-Za-z_][\w.]{0,80})\}|([A-Za-z_]\w{0,80}))")
LIMIT_DEPTH = 50


@dataclass(frozen=True)
class Option:
    """One option as written."""

    section: str
    """In lower case, as oslo.config compares it; DEFAULT is in capitals, and other spellings of it are not it."""
    name: str
    value: str
    """Without the quotes around it; the lines of a continued value with line breaks between them."""
    line_number: int


@dataclass(frozen=True)
class NovaConf:
    """What nova.conf says about PCI devices and scheduling."""

    options: tuple[Option, ...]
    aliases: tuple[dict[str, Any], ...]
    """Old names and new ones add up: those of [DEFAULT] come first."""
    device_specs: tuple[dict[str, Any], ...]
    filters: tuple[str, ...] | None
    """None if the file names none, so that Nova's own list holds; of several lists the last."""
    available_filters: tuple[str, ...] | None = None


def parse(text: str) -> NovaConf:
    """Read a nova.conf.

    Raises:
        ParseError: a line that oslo.config refuses, or a PCI option that Nova cannot read as JSON.
    """
    if text.startswith("\ufeff"):
        raise ParseError(TOOL, "a byte order mark, which oslo.config refuses", line=text[:80], line_number=1)
    options = tuple(_options(lines_of(TOOL, text)))
    available = tuple(_substituted(option, options) for option in _all(options, AVAILABLE_FILTER_NAMES))
    return NovaConf(
        options,
        tuple(_dictionaries(options, ALIAS_NAMES, may_be_list=False)),
        tuple(_dictionaries(options, DEVICE_SPEC_NAMES, may_be_list=True)),
        _filters(options),
        available or None,
    )


def _options(lines: list[str]) -> Iterator[Option]:
    section = ""
    current: Option | None = None
    for number, line in enumerate(lines, start=1):
        if line.startswith((" ", "\t")):
            current = _continued(current, line, number)
            continue
        if current is not None:
            yield current
            current = None
        if line.startswith("["):
            section = _section(line, number)
        elif line and not line.startswith(("#", ";")):
            current = _assignment(section, line, number)
    if current is not None:
        yield current


def _continued(current: Option | None, line: str, number: int) -> Option:
    if current is None:
        raise ParseError(TOOL, "a continuation of nothing: blanks at the line's start", line=line, line_number=number)
    return Option(current.section, current.name, f"{current.value}\n{line.lstrip()}", current.line_number)


def _section(line: str, number: int) -> str:
    name = line[1:-1]
    if not line.endswith("]") or not name:
        raise ParseError(TOOL, "a section must end with ] and have a name", line=line, line_number=number)
    return name if name == "DEFAULT" else name.lower()


def _assignment(section: str, line: str, number: int) -> Option:
    position = min((line.find(mark) for mark in "=:" if mark in line), default=-1)
    name, value = line[:position].strip(), line[position + 1 :].strip()
    if position < 0 or not name or not section:
        reason = "neither section nor option" if position < 0 else "no name" if section else "no section before it"
        raise ParseError(TOOL, reason, line=line, line_number=number)
    if value and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return Option(section, name, value, number)


def _all(options: tuple[Option, ...], names: tuple[tuple[str, str], ...]) -> list[Option]:
    """Every occurrence under any of the names, those of the oldest name first, as oslo.config adds them up."""
    return [option for name in reversed(names) for option in options if (option.section, option.name) == name]


def _named(options: tuple[Option, ...], names: tuple[tuple[str, str], ...]) -> list[Option]:
    """Options by the first of the names that is set: of single values a new name hides the old ones."""
    occurrences = ([option for option in options if (option.section, option.name) == name] for name in names)
    return next((found for found in occurrences if found), [])


def _dictionaries(
    options: tuple[Option, ...], names: tuple[tuple[str, str], ...], *, may_be_list: bool
) -> Iterator[dict[str, Any]]:
    for option in _all(options, names):
        data = _json(option, _substituted(option, options))
        if isinstance(data, list) and not may_be_list:
            raise _refusal(option, "is a list: write the option once for each of its members")
        for entry in data if isinstance(data, list) else [data]:
            if not isinstance(entry, dict):
                raise _refusal(option, "is no dictionary")
            yield entry


def _json(option: Option, text: str) -> Any:
    if text.count("[") + text.count("{") > LIMIT_DEPTH * 20:
        raise _refusal(option, "is nested too deep")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refusal(option, f"is no JSON ({str(error)[:120]})") from error


def _refusal(option: Option, what: str) -> ParseError:
    return ParseError(
        TOOL, f"[{option.section}] {option.name} {what}", line=option.value, line_number=option.line_number
    )


def _substituted(option: Option, options: tuple[Option, ...]) -> str:
    """The value with $name replaced: by an option of [DEFAULT], or of the group in ${group.name}."""

    def replacement(match: re.Match[str]) -> str:
        wanted = match[1] or match[2]
        if wanted is None:
            return "$"
        section, _, name = wanted.rpartition(".")
        found = [other for other in options if (other.section, other.name) == (section or "DEFAULT", name)]
        if not found:
            raise _refusal(option, f"refers to ${wanted}, which this file does not set")
        return found[-1].value

    return REFERENCE.sub(replacement, option.value)


def _filters(options: tuple[Option, ...]) -> tuple[str, ...] | None:
    found = _named(options, FILTER_NAMES)
    if not found:
        return None
    words = _substituted(found[-1], options).split(",")
    return tuple(word.strip().rsplit(".", 1)[-1] for word in words if word.strip())


def read(host: Host, path: str) -> NovaConf:
    """The nova.conf at `path` of `host`."""
    return parse(read_file(host, path, as_root=True))


def read_beside(host: Host, path: str) -> NovaConf:
    """A nova.conf that may not be there; an empty one then."""
    text = output_of(host, f"cat {shlex.quote(path)} 2>/dev/null || echo '[DEFAULT]'", as_root=True).stdout
    return parse(text if text.strip() else "[DEFAULT]")
