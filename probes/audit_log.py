"""Refusals of SELinux and AppArmor that keep an instance from its device.

Source: https://access.redhat.com/documentation/en-us/red_hat_enterprise_linux/7/html/selinux_users_and_administrators_guide/
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.host import Host, output_of
from probes.reading import bounded

COMMAND = (
    "{ cat /var/log/audit/audit.log 2>/dev/null; dmesg; } | grep -E 'avc: +denied|apparmor=\"DENIED\"' | grep -i vfio"
    " | tail -n 20; true"
)
DENIED = re.compile(r"avc:\s+denied\s+\{ ([^}]+) \}|apparmor=\"DENIED\" operation=\"([^\"]+)\"")


@dataclass(frozen=True)
class Denial:
    """One refusal that names a VFIO device."""

    operation: str
    line: str


def parse(text: str) -> tuple[Denial, ...]:
    """Read lines of an audit log; others than refusals are passed over."""
    return tuple(
        Denial((match[1] or match[2]).strip(), line.strip())
        for line in bounded("audit log", text).splitlines()
        if "vfio" in line.lower() and (match := DENIED.search(line))
    )


def read(host: Host) -> tuple[Denial, ...]:
    """The last refusals on `host`."""
    return parse(output_of(host, COMMAND, as_root=True).stdout)
