"""The chain of a run's records: each line carries the hash of all lines up to and with itself.

The last field of a line, `chain`, is the sha256 of the `chain` of the line before (nothing for the first) followed by
the line without this field. A line that is edited, lost, moved or added is seen where it stands; the last line's hash
is that of the whole file. docs/certification.md says what this protects from, and what not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

FIELD = "chain"
START = b""
_HEX = 64
_HEAD = b', "chain": "'
_TAIL = b'"}'
_LENGTH = len(_HEAD) + _HEX + len(_TAIL)
_FORM = re.compile(re.escape(_HEAD) + rb"([0-9a-f]{64})" + re.escape(_TAIL))
SHOWN = 5


def link(before: bytes, body: bytes) -> bytes:
    """The hash, in hexadecimal digits, of a line's JSON after a line with the hash `before`."""
    digest = hashlib.sha256(before)
    digest.update(body)
    return digest.hexdigest().encode()


def linked(before: bytes, body: bytes) -> tuple[bytes, bytes]:
    """A JSON object's bytes as a line of the chain, with its end of line; and its hash."""
    here = link(before, body)
    return b"%b%b%b%b\n" % (body[:-1], _HEAD, here, _TAIL), here


def chained(bodies: Iterable[bytes]) -> Iterator[bytes]:
    """All lines of a file from their JSON objects."""
    before = START
    for body in bodies:
        line, before = linked(before, body)
        yield line


class Chain:
    """Follows the lines of one file, and remembers where they do not fit."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.altered: list[str] = []
        """Lines that are not as they were written, by name and number."""
        self.linked_lines = 0
        self.bare_lines = 0
        """Lines without a hash: all of them in a run of an older suite."""
        self._before: bytes | None = START

    def follow(self, number: int, text: bytes, *, is_readable: bool) -> None:
        """The next line, numbered from 1."""
        line = text.rstrip(b"\r\n")
        found = _FORM.fullmatch(line, max(0, len(line) - _LENGTH))
        if found is None:
            self.bare_lines += is_readable
            self._before = None if not is_readable else self._before  # after a line that was cut off, any may follow
            return
        self.linked_lines += 1
        stated = found[1]
        if self._before is not None and not self._fits(line, stated):
            self.altered.append(f"{self.name}, line {number}")
        self._before = stated

    def _fits(self, line: bytes, stated: bytes) -> bool:
        digest = hashlib.sha256(self._before or START)
        digest.update(memoryview(line)[:-_LENGTH])
        digest.update(b"}")
        return digest.hexdigest().encode() == stated

    @property
    def breaks(self) -> list[str]:
        """What shows that the file was changed; empty for a run of an older suite, which has no chain at all."""
        bare = self.bare_lines if self.linked_lines else 0
        return self.altered + ([f"{self.name}: {bare} lines without a hash among {self.linked_lines}"] if bare else [])
