"""What one check did, noted while it runs: its commands as evidence, its figures, what it expected and found."""

from __future__ import annotations

import hashlib

from access.host import CommandOutput
from access.redaction import without_secrets
from judging.records import OUTPUT_LIMIT_CHARS, Evidence, Measurement, now
from probes.card_identity import CardIdentity

COMMAND_LIMIT_CHARS = 1000


class Notes:
    """Filled while the check runs; what it holds becomes the check's record."""

    def __init__(self) -> None:
        self.started = now()
        self.evidence: list[Evidence] = []
        self.measurements: list[Measurement] = []
        self.cards: tuple[CardIdentity, ...] = ()
        self.expected = ""
        self.found = ""

    def command(self, output: CommandOutput) -> None:
        """Remember a command as evidence."""
        text = without_secrets(output.stdout + output.stderr)
        self.evidence.append(
            Evidence(
                output.host,
                without_secrets(output.command)[:COMMAND_LIMIT_CHARS],
                output.exit_code,
                text[:OUTPUT_LIMIT_CHARS],
                output.duration_s,
                hashlib.sha256(text.encode(errors="replace")).hexdigest(),
                len(text) > OUTPUT_LIMIT_CHARS,
            )
        )
