"""Questions that stand in a cloud file where `discover` could not see the answer: comments that begin with `# ?`."""

from __future__ import annotations

import re
from pathlib import Path

MARK = "# ?"
CONTINUED = "#    "
"""How further lines of a question begin."""
QUESTION = re.compile(r"#\s*\?\s*(?P<words>.*\S)\s*$")


def open_questions(path: Path | None) -> list[tuple[int, str]]:
    """Line and words of each; a file that cannot be read has none, which the one who loads it says."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path else []
    except (OSError, UnicodeDecodeError):
        return []
    open_lines = 0
    found: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        match = QUESTION.search(line)
        if match is not None:
            found.append((number, match["words"]))
        elif found and line.startswith(CONTINUED) and found[-1][0] + open_lines == number - 1:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.removeprefix(CONTINUED).strip()}")
            open_lines += 1
            continue
        open_lines = 0
    return found
