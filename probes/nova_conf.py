"""nova.conf: PCI aliases, device specs and filters, in the names of every release, read as oslo.config reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from probes.host import Host, output_of
from probes.reading import lines_of, read_file
from provisioning.errors import ParseError

SECTION = re.compile(r"^\[(.+)\]\s*(?:[#;].*)?$")
ALIAS_NAMES = (("pci", "alias"), ("DEFAULT", "pci_alias"))
DEVICE_SPEC_NAMES = (("pci", "device_spec"), ("pci", "passthrough_whitelist"), ("DEFAULT", "pci_passthrough_whitelist"))
FILTER_NAMES = (
    ("filter_scheduler", "enabled_filters"),
    ("filter_scheduler", "scheduler_enabled_filters"),
    ("DEFAULT", "scheduler_default_filters"),
)


@dataclass(frozen=True)
class Option:
    """One option as written."""

    section: str
    name: str
    value: str
    line_number: int


@dataclass(frozen=True)
class NovaConf:
    """What nova.conf says about PCI devices and scheduling."""

    options: tuple[Option, ...]
    aliases: tuple[dict[str, Any], ...]
    device_specs: tuple[dict[str, Any], ...]
    filters: tuple[str, ...] | None
    """None when the file names none, so that Nova's own list holds."""


def parse(text: str) -> NovaConf:
    """Read a nova.conf.

    Raises:
        ParseError: a line that oslo.config refuses, or a PCI option that is no JSON.
    """
    options = tuple(_options(lines_of("nova.conf", text)))
    return NovaConf(
        options,
        tuple(_entries(options, ALIAS_NAMES)),
        tuple(_entries(options, DEVICE_SPEC_NAMES)),
        _filters(options),
    )


def _options(lines: list[str]) -> Iterator[Option]:
    section: str | None = None
    current: Option | None = None
    for number, line in enumerate(lines, start=1):
        if line[:1].isspace() and line.strip() and current is not None:  # a continuation, as ConfigParser has them
            current = Option(current.section, current.name, f"{current.value}\n{line.strip()}", current.line_number)
            continue
        if current is not None:
            yield current
            current = None
        if not line.strip() or line[0] in "#;":
            continue
        match = SECTION.match(line)
        if match:
            section = match[1]
            continue
        position = min((line.find(mark) for mark in "=:" if mark in line), default=-1)
        if position < 1 or section is None:
            reason = "no section before it" if section is None else "neither section nor option"
            raise ParseError("nova.conf", reason, line=line, line_number=number)
        current = Option(section, line[:position].strip(), line[position + 1 :].strip(), number)
    if current is not None:
        yield current


def _named(options: tuple[Option, ...], names: tuple[tuple[str, str], ...]) -> list[Option]:
    """Options by the first of the names that is set: a new name hides the old ones."""
    for section, name in names:
        found = [option for option in options if (option.section, option.name) == (section, name)]
        if found:
            return found
    return []


def _entries(options: tuple[Option, ...], names: tuple[tuple[str, str], ...]) -> Iterator[dict[str, Any]]:
    for option in _named(options, names):
        if not option.value:
            continue
        try:
            data = json.loads(option.value)
        except ValueError as error:
            raise ParseError(
                "nova.conf",
                f"[{option.section}] {option.name} is no JSON ({error})",
                line=option.value,
                line_number=option.line_number,
            ) from error
        for entry in data if isinstance(data, list) else [data]:
            if not isinstance(entry, dict):
                raise ParseError(
                    "nova.conf",
                    f"[{option.section}] {option.name} is no dictionary",
                    line=option.value,
                    line_number=option.line_number,
                )
            yield entry


def _filters(options: tuple[Option, ...]) -> tuple[str, ...] | None:
    found = _named(options, FILTER_NAMES)
    if not found:
        return None
    return tuple(name.strip().rsplit(".", 1)[-1] for name in found[-1].value.split(",") if name.strip())


def read(host: Host, path: str) -> NovaConf:
    """The nova.conf at `path` of `host`."""
    return parse(read_file(host, path, as_root=True))


def read_beside(host: Host, path: str) -> NovaConf:
    """A nova.conf that may not be there; an empty one then."""
    text = output_of(host, f"cat {path} 2>/dev/null || echo '[DEFAULT]'", as_root=True).stdout
    return parse(text if text.strip() else "[DEFAULT]")
