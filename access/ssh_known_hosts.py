"""known_hosts: keys of hosts, and lines with a marker (@cert-authority, @revoked).

https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry, HostKeys

AUTHORITY, REVOKED = "@cert-authority", "@revoked"
HASHED = "|1|"
DEFAULT_PORT = 22


@dataclass(frozen=True)
class Line:
    """A line of known_hosts."""

    marker: str
    """"" for a host's own key."""
    patterns: tuple[str, ...]
    """Names and addresses with `*` and `?`; `!` before one excludes it. One hashed name stands alone."""
    kind: str
    key: str
    """In base64, as the line has it."""

    @property
    def is_exact(self) -> bool:
        """Whether its patterns are names as they are."""
        return not self.patterns[0].startswith(HASHED) and not any(
            set(pattern) & set("*?!") for pattern in self.patterns
        )

    def fits(self, names: Iterable[str]) -> bool:
        """Whether the line is about a host, by one of its names."""
        if self.patterns[0].startswith(HASHED):
            return any(_is_hash_of(self.patterns[0], name) for name in names)
        lowered = [name.lower() for name in names]
        wanted = [pattern for pattern in self.patterns if not pattern.startswith("!")]
        unwanted = [pattern[1:] for pattern in self.patterns if pattern.startswith("!")]
        return fits(lowered, wanted) and not fits(lowered, unwanted)


@dataclass
class KnownHosts:
    """One file's lines; those with names as they are by name: a cloud has thousands, and each host asks for its own."""

    exact: dict[str, list[Line]] = field(default_factory=dict)
    others: list[Line] = field(default_factory=list)
    marked: list[Line] = field(default_factory=list)

    def add(self, line: Line) -> None:
        """Put a line where it is found."""
        if line.marker:
            self.marked.append(line)
        elif line.is_exact:
            for name in line.patterns:
                self.exact.setdefault(name.lower(), []).append(line)
        else:
            self.others.append(line)

    def of(self, name: str) -> list[Line]:
        """The lines with keys of a host."""
        return [*self.exact.get(name.lower(), ()), *(line for line in self.others if line.fits([name]))]


def fits(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a name fits a pattern of ssh: `*` and `?`, brackets are what they are."""
    escaped = [pattern.lower().replace("[", "[[]") for pattern in patterns]
    return any(fnmatchcase(name, pattern) for name in names for pattern in escaped)


def marked_lines(files: Iterable[Path], names: Sequence[str]) -> list[Line]:
    """Lines with a marker that are about a host by one of its names, of the files that can be read."""
    return [line for file in files for line in known_hosts(file).marked if line.fits(names)]


def keys_of(files: Sequence[Path], address: str, port: int) -> tuple[paramiko.PKey, ...]:
    """The keys of one host, as ssh(1) finds them: by patterns, hashed, else without the port.

    paramiko's own reader knows no patterns, takes a marker for a name, and gives up at the first broken line.
    """
    name = address if port == DEFAULT_PORT else f"[{address}]:{port}"
    own = [line for file in files for line in known_hosts(file).of(name)]
    lines = own or [line for file in files for line in known_hosts(file).of(address)]
    return tuple(key for line in lines if (key := _key(line.kind, line.key)) is not None)


def known_hosts(file: Path) -> KnownHosts:
    """What a file has; nothing where it cannot be read."""
    try:
        written = file.stat()
        return _read(file, written.st_mtime_ns, written.st_size)
    except OSError:
        return KnownHosts()


@lru_cache(maxsize=64)
def _read(file: Path, _changed_ns: int, _size: int) -> KnownHosts:
    """Read once as long as it stays as it is, for the hundreds of hosts that it names."""
    found = KnownHosts()
    for text in file.read_text(encoding="utf-8", errors="replace").splitlines():
        words = text.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) >= 3 and not words[0].startswith("#") and marker in ("", AUTHORITY, REVOKED):
            found.add(Line(marker, tuple(words[0].split(",")), words[1], words[2]))
    return found


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        return HostKeys.hash_host(name, hashed) == hashed
    except ValueError:
        return False


def _key(kind: str, text: str) -> paramiko.PKey | None:
    try:
        entry = HostKeyEntry.from_line(f"x {kind} {text}")
    except Exception:  # InvalidHostKey, SSHException, ValueError: whatever is wrong with it
        return None
    return entry.key if entry is not None else None
