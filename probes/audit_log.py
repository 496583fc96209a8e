"""Refusals of SELinux and AppArmor that keep an instance from its device.

Source: https://access.redhat.com/documentation/en-us/red_hat_enterprise_linux/7/html/selinux_users_and_administrators_guide/
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.host import Host, output_of
from access.questions import Question
from probes.reading import bounded

COMMAND = (
    "{ cat /var/log/audit/audit.log 2>/dev/null; dmesg; } | grep -E 'avc: +denied|apparmor=\"DENIED\"'"
    " | grep -iE 'vfio|iommu|sys_resource|sys_rawio|ipc_lock|setrlimit|/sys/(bus|devices)/.*pci|sysfs'"
    " | tail -n 50; true"
)
VFIO = re.compile(r"vfio", re.I)
DEVICE = re.compile(
    r"[\"=]/dev/iommu\b|/sys/kernel/iommu_groups|/sys/(?:devices|bus)/[^\"]{0,40}pci[^\"]{1,200}"
    r"|name=\"(?:config|resource[0-9]?|rom)\" dev=\"sysfs\""
)
"""Files of a passed-through device beside those of vfio."""
RIGHT = re.compile(r"sys_resource|sys_rawio|ipc_lock|setrlimit")
"""Rights that it takes to lock an instance's memory and to reach a device."""
OF_AN_INSTANCE = re.compile(
    r"profile=\"libvirt-[0-9a-f]|comm=\"(?:qemu|CPU [0-9]|kvm)|:(?:svirt|virtqemud|virtd|qemu)_t:"
)
"""QEMU, and the daemon that starts it, by AppArmor's profile, the program, or SELinux' domain."""
ONLY_NOTED = re.compile(r"permissive=1|apparmor=\"ALLOWED\"")
DENIED = re.compile(r"avc:\s+denied\s+\{ ([^}]+) \}|apparmor=\"DENIED\" operation=\"([^\"]+)\"")
QUESTIONS = (Question(COMMAND, as_root=True),)


@dataclass(frozen=True)
class Denial:
    """One refusal that keeps an instance from a device."""

    operation: str
    line: str


def parse(text: str) -> tuple[Denial, ...]:
    """Read lines of an audit log; others than refusals are passed over."""
    return tuple(
        Denial((match[1] or match[2]).strip(), line.strip())
        for line in bounded("audit log", text).splitlines()
        if _is_of_a_device(line) and (match := DENIED.search(line))
    )


def _is_of_a_device(line: str) -> bool:
    if ONLY_NOTED.search(line):
        return False
    names_it = DEVICE.search(line) or RIGHT.search(line)
    return bool(VFIO.search(line) or (names_it and OF_AN_INSTANCE.search(line)))


def read(host: Host) -> tuple[Denial, ...]:
    """The last refusals on `host`."""
    return parse(output_of(host, COMMAND, as_root=True).stdout)
