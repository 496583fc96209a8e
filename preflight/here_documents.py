"""Here-documents of scripts that write nova.conf."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight import nova_conf
from preflight.nova_conf import ALL_SERVICES, Option, Scope
from preflight.placed import PlacedText
from preflight.shell_source import Script

START = re.compile(r"<<(?P<dash>-?)\s*(?P<quote>[\"'\\]?)(?P<word>[A-Za-z_]\w*)")
NOVA_FILE = re.compile(r"(?P<file>[\w./${}~-]*nova[\w./${}-]*\.conf\S*)", re.I)
NOVA_INI = re.compile(r"^\s*\[(?:pci|filter_scheduler)\]\s*$", re.M)


def settings_of(script: Script) -> Iterator[Option]:
    """Options of every here-document that goes to a nova.conf, or that holds [pci] or [filter_scheduler]."""
    if "<<" not in script.text or "[" not in script.text:
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
        file = NOVA_FILE.search(line)
        text = "\n".join(body)
        if end > index and (file is not None or NOVA_INI.search(text)):
            services = nova_conf.services_named(file["file"]) if file else frozenset()
            first = script.location(index + 1)
            placed = PlacedText(text, script.path, first.line, first.column, not script.is_quoted)
            yield from nova_conf.of_text(placed, Scope(services or ALL_SERVICES))
