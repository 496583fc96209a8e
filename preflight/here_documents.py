"""Here-documents of scripts that write nova.conf, or the values that a deployer makes it of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight import nova_conf, yaml_settings
from preflight.nova_conf import ALL_SERVICES, Option, Scope
from preflight.placed import PlacedText
from preflight.shell_source import Script
from preflight.yaml_source import YamlError, compose_all

START = re.compile(r"<<(?P<dash>-?)\s*(?P<quote>[\"'\\]?)(?P<word>[A-Za-z_]\w*)")
NOVA_FILE = re.compile(r"(?P<file>[\w./${}~-]*nova[\w./${}-]*\.conf\S*)", re.I)
PATCH = re.compile(r"\b(?:oc|kubectl)\b.*(?:--patch|-p)[ =]'\s*\Z")
YAML_VALUES = re.compile(r"^[ \t]*(?:conf|nova_\w+|apiVersion|applications|core):", re.M)
NOVA_INI = re.compile(r"^[ \t]*\[(?:pci|filter_scheduler)\]\s*$", re.M)


def _patches(script: Script) -> Iterator[Option]:
    """Manifests in quotes over several lines, as `oc patch … --patch '` has them."""
    for index, line in enumerate(script.lines):
        if PATCH.search(line):
            end = next((at for at in range(index + 1, len(script.lines)) if script.lines[at].startswith("'")), index)
            if end > index:
                yield from _of_values(script, index + 1, list(script.lines[index + 1 : end]))


def _of_values(script: Script, first: int, body: list[str]) -> Iterator[Option]:
    """Helm values or variables that a script writes: YAML, whose lines are the script's."""
    before = script.location(first).line - 1
    text = "\n" * before + "\n".join(body)
    try:
        for root in compose_all(script.path, text):
            yield from yaml_settings.settings_of(root, text.split("\n"))
    except YamlError:
        return


def settings_of(script: Script) -> Iterator[Option]:
    """Options of every here-document that goes to a nova.conf, or that holds [pci] or [filter_scheduler]."""
    yield from _patches(script)
    if "<<" not in script.text:
        return
    end = -1
    for index, line in enumerate(script.lines):
        start = START.search(line) if index > end and not line.lstrip().startswith("#") else None
        if start is None:
            continue
        end = next(
            (at for at in range(index + 1, len(script.lines)) if script.lines[at].strip() == start["word"]), index
        )
        body = [one.lstrip("\t") if start["dash"] else one for one in script.lines[index + 1 : end]]
        if end > index and YAML_VALUES.search("\n".join(body)):
            yield from _of_values(script, index + 1, body)
            continue
        file = NOVA_FILE.search(line)
        text = "\n".join(body)
        if end > index and (file is not None or NOVA_INI.search(text)):
            services = nova_conf.services_named(file["file"]) if file else frozenset()
            first = script.location(index + 1)
            placed = PlacedText(text, script.path, first.line, first.column, not script.is_quoted)
            yield from nova_conf.of_text(placed, Scope(services or ALL_SERVICES))
