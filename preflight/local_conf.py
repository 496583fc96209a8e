"""DevStack's local.conf: its sections [[phase|file]] that are parts of nova.conf."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from preflight import nova_conf
from preflight.nova_conf import ALL_SERVICES, COMPUTE, Option, Scope
from preflight.placed import PlacedText

META = re.compile(r"^\[\[(?P<phase>[\w-]+)\|(?P<file>[^\]]+)\]\][^\n]*\n", re.M)
NOVA = re.compile(r"nova", re.I)
CPU = re.compile(r"cpu", re.I)


def is_local_conf(path: Path, text: str) -> bool:
    """Whether the file has DevStack's double brackets."""
    return path.suffix in (".conf", ".inc", "") and META.search(text) is not None


def settings_of(path: Path, text: str) -> Iterator[Option]:
    """Options of the sections for nova.conf ($NOVA_CONF: every service, $NOVA_CPU_CONF: nova-compute)."""
    found = list(META.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    for match, end in zip(found, ends, strict=True):
        if NOVA.search(match["file"]):
            part = PlacedText(text[match.end() : end], path, text.count("\n", 0, match.end()) + 1)
            services = COMPUTE if CPU.search(match["file"]) else ALL_SERVICES
            yield from nova_conf.of_text(part, Scope(services, dialect="devstack"))
