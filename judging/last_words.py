"""What the last error of a service of Nova means, as data: judging/last_words.yaml."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from probes.nova_log import LastWords

FILE = Path(__file__).with_suffix(".yaml")
ENDED = "service-ended-at-its-start"


@cache
def _table() -> Sequence[tuple[re.Pattern[str], str]]:
    entries: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tuple((re.compile(entry["pattern"]), str(entry["fix"])) for entry in entries)


def cause_of_end(words: LastWords) -> str:
    """The cause of a service that ended with these words, with the wording of its fix where they are known."""
    wording = next((fix for pattern, fix in _table() if pattern.search(words.text)), "")
    return f"{ENDED}/{wording}" if wording else ENDED


def told(words: LastWords) -> str:
    """The words with the place and time at which they stand."""
    when = f" of {words.date}" if words.date else ""
    return f"its log ends with: {words.text} ({words.source}{when})"
