"""known_hosts: keys of hosts, and lines with a marker (@cert-authority, @revoked).

https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry, HostKeys

AUTHORITY, REVOKED = "@cert-authority", "@revoked"
HASHED = "|1|"
DEFAULT_PORT = 22


@dataclass(frozen=True)
class Marked:
    """A line of known_hosts with a marker."""

    marker: str
    patterns: tuple[str, ...]
    key: str
    """In base64, as the line has it."""

    def fits(self, names: Iterable[str]) -> bool:
        """Whether the line is about a host by one of its names; `!pattern` excludes it."""
        lowered = [name.lower() for name in names]
        wanted = [pattern for pattern in self.patterns if not pattern.startswith("!")]
        unwanted = [pattern[1:] for pattern in self.patterns if pattern.startswith("!")]
        return fits(lowered, wanted) and not fits(lowered, unwanted)


def fits(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a name fits a pattern of ssh: `*` and `?`, brackets are what they are."""
    escaped = [pattern.lower().replace("[", "[[]") for pattern in patterns]
    return any(fnmatchcase(name, pattern) for name in names for pattern in escaped)


def marked_lines(files: Iterable[Path]) -> tuple[Marked, ...]:
    """Lines with a marker, of the files that can be read."""
    return tuple(found for file in files for line in _lines(file) if (found := _marked(line)) is not None)


def keys_of(files: Iterable[Path], address: str, port: int) -> tuple[paramiko.PKey, ...]:
    """The keys of one host, as ssh(1) finds them: by patterns, hashed, else without the port.

    paramiko's own reader knows no patterns, takes a marker for a name, and gives up at the first broken line.
    """
    name = address if port == DEFAULT_PORT else f"[{address}]:{port}"
    lines = [line.split() for file in files for line in _lines(file) if line.lstrip()[:1] not in ("", "#", "@")]
    own = [words for words in lines if _is_of(words, name)] or [words for words in lines if _is_of(words, address)]
    return tuple(key for words in own if (key := _key(words[1], words[2])) is not None)


def _is_of(words: Sequence[str], name: str) -> bool:
    if len(words) < 3:
        return False
    if not words[0].startswith(HASHED):
        return Marked("", tuple(words[0].split(",")), "").fits([name])
    try:
        return HostKeys.hash_host(name, words[0]) == words[0]
    except ValueError:
        return False


def _key(kind: str, text: str) -> paramiko.PKey | None:
    try:
        entry = HostKeyEntry.from_line(f"x {kind} {text}")
    except Exception:  # InvalidHostKey, SSHException, ValueError: whatever is wrong with it
        return None
    return entry.key if entry is not None else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _marked(line: str) -> Marked | None:
    words = line.split()
    if len(words) < 4 or words[0] not in (AUTHORITY, REVOKED):
        return None
    return Marked(words[0], tuple(words[1].split(",")), words[3])
