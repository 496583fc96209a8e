"""The kernel log of a host about passed-through cards and the instances that have them.

Words: drivers/pci/pci.c (pci_dev_wait), drivers/vfio, mm/oom_kill.c of Linux.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.host import Host, output_of
from access.questions import Question
from probes.reading import bounded

RESET = re.compile(
    r"(?:vfio-pci|pci|pcieport|nvidia) (\S{1,40}): (?:not ready [0-9]{1,9}ms after [^;]{1,40}; giving up"
    r"|Failed to return from FLR|Refused to change power state, currently in D3\b"
    r"|Unable to power on device, stuck in D3\b"
    r"|(?:Unable to|can't) change power state from (?!D3cold)\w{1,20} to D0\b.{0,4}"
    r"(?:device|config space) inaccessible)"
)
ASLEEP = re.compile(r" (\S{1,40}): (?:Unable to|can't) change power state from D3cold to D0\b")
KILLED = re.compile(
    r"(?:Out of memory: Kill(?:ed)? process|oom-kill:.*task=|Killed process) ?(\d*).*?"
    r"\(?(qemu-kvm|qemu-system-\w+|CPU \d+/KVM)"
)
LIMIT = 50
COMMAND = "dmesg"
QUESTIONS = (Question(COMMAND, as_root=True),)


@dataclass(frozen=True)
class VfioLog:
    """Lines of one kernel log."""

    failed_resets: tuple[str, ...]
    """Devices that did not come back from a reset, each once."""
    asleep: tuple[str, ...]
    """Devices that do not wake up from D3cold, each once: they look lost, and a power cycle cures them for a while."""
    killed_instances: tuple[str, ...]
    """Lines about an instance's process that was killed because memory ran out."""


def parse(text: str) -> VfioLog:
    """Read a kernel log; an empty one has no event."""
    resets = dict.fromkeys(match[1] for match in RESET.finditer(bounded("kernel log", text)))
    asleep = dict.fromkeys(match[1] for match in ASLEEP.finditer(text))
    killed = [line.strip() for line in text.splitlines() if KILLED.search(line)]
    return VfioLog(tuple(resets)[:LIMIT], tuple(asleep)[:LIMIT], tuple(killed)[:LIMIT])


def read(host: Host) -> VfioLog:
    """The log of the running kernel."""
    return parse(output_of(host, COMMAND, as_root=True).stdout)
