"""A command's answer begins behind a marker of ours: what a login prints before it belongs to nobody's answer.

Banners in ~/.bashrc, a message of the day on stdout and complaints of a login shell or of sudo come before the marker.
An answer without the marker is none: the login gave no shell, or sudo no root.
"""

from __future__ import annotations

import secrets
import shlex

MARKER = f"--answer-{secrets.token_hex(8)}--"
"""Of this process: no host can print it by chance."""
PREAMBLE = 'export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"; '
"""Output to be parsed is in English; lspci and dmidecode are in sbin."""


def command_line(command: str, *, as_root: bool) -> str:
    """What a login shell is given: the marker on both streams, then the command, in a POSIX shell.

    The login shell may be csh or fish: it has to understand no more than a quoted word.
    """
    marked = f"printf '%s\\n' {MARKER}; printf '%s\\n' {MARKER} >&2; {PREAMBLE}{command}"
    become = "sudo -n -- " if as_root else ""
    return f"{become}/bin/sh -c {shlex.quote(marked)}"


class Answer:
    """One stream: what came before the marker, and what came behind it."""

    def __init__(self) -> None:
        self._before = ""
        self.has_begun = False

    def feed(self, text: str) -> str:
        """The part of `text` that belongs to the answer; pieces may be cut anywhere."""
        if self.has_begun:
            return text
        self._before += text
        before, found, behind = self._before.partition(f"{MARKER}\n")
        if not found:
            return ""
        self._before, self.has_begun = before, True
        return behind

    @property
    def before(self) -> str:
        """What the login printed."""
        return self._before


def why_no_answer(said: str, user: str, *, as_root: bool) -> tuple[str, str]:
    """Why no answer began, and what to do; `said` is what came instead, `user` the login."""
    text = said.strip()
    if as_root and ("sudo" in text or not text):
        if "not found" in text or "command not found" in text:
            return "sudo is not installed", "install sudo there, or log in as root"
        if "tty" in text:
            return "sudo demands a terminal", f"remove requiretty for {user} from sudoers"
        return (
            f"{user} cannot become root without a password",
            f"as root: echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{user}; chmod 0440 /etc/sudoers.d/{user}",
        )
    return (
        f"the login of {user} gives no shell",
        f"ssh {user}@HOST /bin/sh -c true must work: see the user's shell in /etc/passwd, ~/.bashrc and a ForceCommand",
    )
