"""How a guest's kernel ended, from the console that Nova keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from probes.openstack import console
from probes.reading import bounded

PANIC = re.compile(r"Kernel panic - not syncing: ?(.{0,200})")
MEMORY = re.compile(r"out of memory|no killable process|System is deadlocked on memory", re.I)
CONSOLE_LINES = 400


@dataclass(frozen=True)
class Panic:
    """The last panic on the console."""

    line: str
    is_memory: bool
    """Whether the guest had too little memory."""


def parse(text: str) -> Panic | None:
    """Read a console; None if its kernel did not panic, or booted again since."""
    found = None
    for line in bounded("guest console", text).splitlines():
        if "Linux version" in line:
            found = None
        elif PANIC.search(line):
            found = Panic(line.strip()[:400], MEMORY.search(line) is not None)
    return found


def read(connection: Any, server_id: str) -> Panic | None:
    """The console of an instance."""
    return parse(console.read(connection, server_id, lines=CONSOLE_LINES))
