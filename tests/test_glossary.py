"""Code and pages use the words of docs/glossary.md."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| [^|]+ \| [^|]+ \| (?P<replaced>[^|]*) \|$", re.MULTILINE)
STABLE = re.compile(r"^mend:|fault\.mend\b|\"mend\"|^    mend: tuple|`mend`|mend=|mend: \[\]")
"""`mend` is a key of fault files, and keys do not change."""
NOT_OURS = re.compile(
    r"^(docs/decisions/|docs/glossary\.md|tests/test_glossary\.py|tests/.*/samples/|requirements/|faults/catalogue/)"
)


def replaced_words() -> list[str]:
    """The right column of the table, but for words that only some of their senses exclude."""
    cells = ROW.findall((REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8"))
    words = [word.strip() for cell in cells for word in cell.split(",")]
    return [word for word in words if word.isalpha() and word != "not"]


def texts() -> list[Path]:
    """Our own code and pages."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.yaml", "*.j2"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [REPOSITORY / name for name in listed.stdout.splitlines() if not NOT_OURS.match(name)]


def test_the_glossary_replaces_words() -> None:
    """An empty column would make the next test pass without looking."""
    assert {"mend", "anew", "whence"} <= set(replaced_words())


@pytest.mark.parametrize("word", replaced_words())
def test_no_text_uses_a_word_that_the_glossary_replaces(word: str) -> None:
    """Each thing has one word, so that a reader can search for it."""
    used = re.compile(rf"\b{word}(s|ed|ing)?\b", re.IGNORECASE)
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:80]}"
        for path in texts()
        if path.exists()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if used.search(line) and not STABLE.search(line)
    ]

    assert not found, "\n".join(found)
