"""Kernel modules that dracut packs into the initramfs, and which of them the running kernel has.

Source: man dracut.conf (add_drivers, force_drivers).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from access.host import Host, output_of
from access.questions import Question

COMMAND = (
    "if command -v dracut >/dev/null 2>&1; then cat /etc/dracut.conf /etc/dracut.conf.d/*.conf 2>/dev/null; fi; true"
)
"""A host without dracut may have its files all the same: nothing reads them there."""
QUESTIONS = (Question(COMMAND, as_root=True),)
SETTING = re.compile(r"^[ \t]*(add_drivers|force_drivers|drivers)\s*\+?=\s*(.*)$", re.M)
EXISTS = 'for m in {names}; do modinfo -F filename "$m" >/dev/null 2>&1 || echo "$m"; done'


@dataclass(frozen=True)
class DracutModules:
    """What the next initramfs is asked to hold."""

    wanted: tuple[str, ...]
    missing: tuple[str, ...]
    """Those of them that the running kernel does not have."""


def parse(text: str) -> tuple[str, ...]:
    """Names of modules that dracut's configuration asks for, each once."""
    found: dict[str, None] = {}
    for _, value in SETTING.findall(text):
        try:
            words = " ".join(shlex.split(value, comments=True)).split()
        except ValueError:
            words = value.strip("\"'").split()
        found.update(dict.fromkeys(words))
    return tuple(found)


def read(host: Host) -> DracutModules:
    """The configuration of `host`, compared with its running kernel."""
    wanted = parse(output_of(host, COMMAND, as_root=True).stdout)
    if not wanted:
        return DracutModules((), ())
    command = EXISTS.format(names=shlex.join(wanted))
    return DracutModules(wanted, tuple(output_of(host, command, as_root=True).stdout.split()))


FOLLOW_UPS = (read,)
"""What asks on by the first answers."""
