"""Which payload runs in which machine, written down before it starts: a run that was killed finds it again."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from access.errors import LedgerError

FILE = "payloads.json"


class Payloads:
    """Payloads whose results nobody has taken yet, in the folder of the cloud's runs."""

    def __init__(self, runs: Path) -> None:
        self._path = runs / FILE

    def open(self, machine: str, identity: str, digest: str) -> tuple[str, str]:
        """The payload's name, and that of the one that an earlier run wrote down for this machine, "" without one.

        `identity` tells one machine of that name from the next (the instance's id), `digest` what runs.
        """
        with self._content() as known:
            before = known.get(machine, {})
            earlier = str(before["name"]) if before.get("identity") == identity else ""
            if earlier and before.get("digest") == digest:
                return earlier, earlier
            name = f"{digest[:12]}-{secrets.token_hex(4)}"
            known[machine] = {"identity": identity, "digest": digest, "name": name}
            return name, earlier

    def close(self, machine: str) -> None:
        """Its results are taken."""
        with self._content() as known:
            known.pop(machine, None)

    @contextmanager
    def _content(self) -> Iterator[dict[str, dict[str, str]]]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                known = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
            except (OSError, ValueError) as error:
                raise LedgerError(f"{self._path} cannot be read: {error}", remedy="remove the file") from error
            yield known
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(known, indent=1), encoding="utf-8")
            os.replace(fresh, self._path)
