"""What makes the initramfs of a host: initramfs-tools on Debian and Ubuntu, dracut on most others.

https://manpages.debian.org/update-initramfs, https://man7.org/linux/man-pages/man8/dracut.8.html
"""

from __future__ import annotations

from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question

TOOL = "tools of the initramfs"
COMMAND = "for each in update-initramfs dracut; do command -v $each >/dev/null 2>&1 && echo $each; done; echo end"
KNOWN = ("update-initramfs", "dracut")
QUESTIONS = (Question(COMMAND, as_root=True),)


@dataclass(frozen=True)
class InitramfsTool:
    """A tool as an operator uses it."""

    rebuild: str
    """The command that makes the initramfs again."""
    early_modules: str
    """Where modules stand that are loaded before any other driver gets at a device."""


INITRAMFS_TOOLS = InitramfsTool("update-initramfs -u -k all", "/etc/initramfs-tools/modules")
DRACUT = InitramfsTool("dracut -f", "force_drivers in /etc/dracut.conf.d")


def parse(text: str) -> InitramfsTool:
    """Read the answer of COMMAND: where both are there, update-initramfs calls the one that is in use.

    Raises:
        ParseError: a cut answer, or another tool's name.
    """
    lines = text.split()
    if not lines or lines[-1] != "end" or set(lines[:-1]) - set(KNOWN):
        raise ParseError(TOOL, "the answer is cut off, or no answer of ours", line=text.strip()[-200:])
    return INITRAMFS_TOOLS if KNOWN[0] in lines else DRACUT


def read(host: Host) -> InitramfsTool:
    """The tool of a host."""
    return parse(output_of(host, COMMAND, as_root=True).stdout)


def for_fix(host: Host, *, is_needed: object) -> InitramfsTool:
    """The tool of a host, which is only asked where there is something to fix."""
    return read(host) if is_needed else DRACUT
