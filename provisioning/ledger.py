"""The ledger: every resource is written down before it is made, so that nothing is lost.

One JSON object per line, appended in one write and synced; mode 0600. A line that a kill cut off is ignored: its
resource was not made yet, since making comes after writing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from access.errors import LedgerError

Event = Literal["intended", "made", "gone"]


@dataclass(frozen=True)
class Entry:
    """One event of one resource."""

    event: Event
    kind: str
    """stack, image, keypair …: a key of KINDS in provisioning/openstack/resources.py."""
    name: str
    """Its name in the cloud: with the cloud file's prefix."""
    owner: str = "admin"
    """Whose connection can see it: admin, tenant or undercloud."""
    id: str | None = None
    time: str = ""


class Ledger:
    """Append and read `ledger.jsonl`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def intend(self, kind: str, name: str, *, owner: str = "admin") -> None:
        """Write down what will be made next."""
        self._append(Entry("intended", kind, name, owner))

    def made(self, kind: str, name: str, *, id: str | None = None, owner: str = "admin") -> None:  # noqa: A002
        """Write down that it was made, and its id."""
        self._append(Entry("made", kind, name, owner, id))

    def making(self, kind: str, name: str, create: Callable[[], Any], *, owner: str = "admin") -> Any:
        """Make a resource that has an id: it is written down before it is made, and after it with its id."""
        self.intend(kind, name, owner=owner)
        found = create()
        self.made(kind, name, id=found.id, owner=owner)
        return found

    def gone(self, entry: Entry) -> None:
        """Write down that the cloud, asked again, no longer has it."""
        self._append(Entry("gone", entry.kind, entry.name, entry.owner, entry.id))

    def open_entries(self) -> list[Entry]:
        """What was intended or made and is not known to be gone, newest first.

        Raises:
            LedgerError: a line in the middle cannot be read.
        """
        open_by_key: dict[tuple[str, str, str], Entry] = {}
        for entry in self._entries():
            key = (entry.kind, entry.name, entry.owner)
            known = open_by_key.pop(key, None)
            if entry.event == "gone":
                continue
            if entry.event == "intended" and known is not None and known.id:
                entry = known
            open_by_key[key] = entry
        return list(reversed(open_by_key.values()))

    def knows(self, kind: str, name: str) -> bool:
        """Whether we made, or were about to make, a resource of that name."""
        return any((entry.kind, entry.name) == (kind, name) for entry in self.open_entries())

    def close(self) -> None:
        """Remove the file once everything is gone.

        Raises:
            LedgerError: something is still open.
        """
        left = self.open_entries()
        if left:
            raise LedgerError(f"{self.path}: {len(left)} resources are not gone: {', '.join(e.name for e in left)}")
        self.path.unlink(missing_ok=True)

    def _append(self, entry: Entry) -> None:
        record = asdict(entry) | {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        line = json.dumps(record) + "\n"
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                whole = (self._missing_newline(descriptor) + line).encode()
                if os.write(descriptor, whole) != len(whole):  # on a full disk
                    raise LedgerError(f"the ledger {self.path} cannot be written: there is no room for a whole line")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise LedgerError(f"the ledger {self.path} cannot be written: {error.strerror}") from error

    @staticmethod
    def _missing_newline(descriptor: int) -> str:
        """A newline if the last line was cut off."""
        size = os.fstat(descriptor).st_size
        return "\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else ""

    def _entries(self) -> list[Entry]:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LedgerError(f"the ledger {self.path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise LedgerError(
                f"the ledger {self.path} cannot be read: {error}",
                remedy="repair the line by hand; the resource it names may still exist",
            ) from error
        entries = []
        for number, line in enumerate(lines, start=1):
            try:
                entries.append(Entry(**json.loads(line)))
            except (ValueError, TypeError) as error:
                if not line.endswith("}"):
                    continue
                raise LedgerError(
                    f"{self.path}, line {number}: not a ledger entry: {line[:200]!r}",
                    remedy="repair the line by hand; the resource it names may still exist",
                ) from error
        return entries
