"""nova.conf: PCI aliases, device specs and filters, in the names of every release, read as oslo.config reads them.

https://docs.openstack.org/oslo.config/latest/configuration/format.html
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
TRUE = ("true", "1", "on", "yes")
"""What oslo.config takes for true, in any case."""


@dataclass(frozen=True)
class Option:
    """One option as written."""

    section: str
    """In lower case, as oslo.config compares it; DEFAULT is in capitals, and other spellings of it are not it."""
    name: str
    value: str
    """Without the quotes around it; the lines of a continued value with line breaks between them."""
    line_number: int
    file: str = ""
    """"" when a single text was read."""


Files = Sequence[tuple[Option, ...]]
"""The options of each file, in the order in which the service reads the files."""


@dataclass(frozen=True)
class NovaConf:
    """What the files of one service say about PCI devices and scheduling."""

    options: tuple[Option, ...]
    """Of all files, those of later files last."""
    aliases: tuple[dict[str, Any], ...]
    """They add up: those of earlier files come first, in one file those of the old name in [DEFAULT]."""
    device_specs: tuple[dict[str, Any], ...]
    filters: tuple[str, ...] | None
    """None if no file names any, so that Nova's own list holds; of several lists the last."""
    available_filters: tuple[str, ...] | None = None

    def option(self, section: str, name: str) -> Option | None:
        """An option that takes one value, as it holds: the last one that is set."""
        found = [option for option in self.options if (option.section, option.name) == (section, name)]
        return found[-1] if found else None

    def is_on(self, section: str, name: str) -> bool:
        """Whether a switch is set to what oslo.config takes for true."""
        found = self.option(section, name)
        return found is not None and found.value.strip().lower() in TRUE


def parse(text: str) -> NovaConf:
    """Read a nova.conf.

    Raises:
        ParseError: a line that oslo.config refuses, or a PCI option that Nova cannot read as JSON.
    """
    return _understood([_options_of(text)])


def parse_files(files: Iterable[tuple[str, str]]) -> NovaConf:
    """Merge files as a service reads them: of single values the last one holds, aliases and device specs add up.

    Each file is given with its path and text, in the order of reading. A file may be empty; all together may not.

    Raises:
        ParseError: as `parse`; its `tool` is the file.
    """
    read = [
        tuple(replace(option, file=path) for option in _options_of(text, path)) if text.strip() else ()
        for path, text in files
    ]
    return _understood(read)


def _understood(files: Files) -> NovaConf:
    options = tuple(option for file in files for option in file)
    available = tuple(_substituted(option, options) for option in _all(files, AVAILABLE_FILTER_NAMES))
    return NovaConf(
        options,
        tuple(_dictionaries(files, ALIAS_NAMES, may_be_list=False)),
        tuple(_dictionaries(files, DEVICE_SPEC_NAMES, may_be_list=True)),
        _filters(files),
        available or None,
    )


def _options_of(text: str, tool: str = TOOL) -> tuple[Option, ...]:
    if text.startswith("\ufeff"):
        raise ParseError(tool, "a byte order mark, which oslo.config refuses", line=text[:80], line_number=1)
    return tuple(_options(lines_of(tool, text), tool))


def _options(lines: list[str], tool: str) -> Iterator[Option]:
    section = ""
    current: Option | None = None
    for number, line in enumerate(lines, start=1):
        if line.startswith((" ", "\t")):
            current = _continued(current, line, number, tool)
            continue
        if current is not None:
            yield current
            current = None
        if line.startswith("["):
            section = _section(line, number, tool)
        elif line and not line.startswith(("#", ";")):
            current = _assignment(section, line, number, tool)
    if current is not None:
        yield current


def _continued(current: Option | None, line: str, number: int, tool: str) -> Option:
    if current is None:
        raise ParseError(tool, "a continuation of nothing: blanks at the line's start", line=line, line_number=number)
    return Option(current.section, current.name, f"{current.value}\n{line.lstrip()}", current.line_number)


def _section(line: str, number: int, tool: str) -> str:
    name = line[1:-1]
    if not line.endswith("]") or not name:
        raise ParseError(tool, "a section must end with ] and have a name", line=line, line_number=number)
    return name if name == "DEFAULT" else name.lower()


def _assignment(section: str, line: str, number: int, tool: str) -> Option:
    position = min((line.find(mark) for mark in "=:" if mark in line), default=-1)
    name, value = line[:position].strip(), line[position + 1 :].strip()
    if position < 0 or not name or not section:
        reason = "neither section nor option" if position < 0 else "no name" if section else "no section before it"
        raise ParseError(tool, reason, line=line, line_number=number)
    if value and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return Option(section, name, value, number)


def _all(files: Files, names: tuple[tuple[str, str], ...]) -> list[Option]:
    """Every occurrence under any of the names: file by file, in each those of the oldest name first."""
    return [
        option for file in files for name in reversed(names) for option in file if (option.section, option.name) == name
    ]


def _named(files: Files, names: tuple[tuple[str, str], ...]) -> Option | None:
    """Of single values the last file's holds, whatever name it has there; in one file a new name hides the old ones."""
    for file in reversed(files):
        occurrences = ([option for option in file if (option.section, option.name) == name] for name in names)
        found = next((found[-1] for found in occurrences if found), None)
        if found is not None:
            return found
    return None


def _dictionaries(files: Files, names: tuple[tuple[str, str], ...], *, may_be_list: bool) -> Iterator[dict[str, Any]]:
    options = tuple(option for file in files for option in file)
    for option in _all(files, names):
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
        option.file or TOOL,
        f"[{option.section}] {option.name} {what}",
        line=option.value,
        line_number=option.line_number,
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


def _filters(files: Files) -> tuple[str, ...] | None:
    found = _named(files, FILTER_NAMES)
    if found is None:
        return None
    words = _substituted(found, tuple(option for file in files for option in file)).split(",")
    return tuple(word.strip().rsplit(".", 1)[-1] for word in words if word.strip())


def read(host: Host, path: str) -> NovaConf:
    """The nova.conf at `path` of `host`."""
    return parse(read_file(host, path, as_root=True))


def read_beside(host: Host, path: str) -> NovaConf:
    """A nova.conf that may not be there; an empty one then."""
    text = output_of(host, f"cat {shlex.quote(path)} 2>/dev/null || echo '[DEFAULT]'", as_root=True).stdout
    return parse(text if text.strip() else "[DEFAULT]")
