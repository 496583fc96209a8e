"""Questions that stand in a cloud file where `discover` could not see the answer: comments that begin with `# ?`."""

from __future__ import annotations

import re
from pathlib import Path

MARK = "# ?"
QUESTION = re.compile(r"#\s*\?\s*(?P<words>.*\S)\s*$")


def open_questions(path: Path | None) -> list[tuple[int, str]]:
    """Line and words of each; a file that cannot be read has none, which the one who loads it says."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path else []
    except (OSError, UnicodeDecodeError):
        return []
    found = ((number, QUESTION.search(line)) for number, line in enumerate(lines, start=1))
    return [(number, match["words"]) for number, match in found if match]
