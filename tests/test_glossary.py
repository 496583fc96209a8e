"""Code and pages use the words of docs/glossary.md."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| [^|]+ \| [^|]+ \| (?P<replaced>[^|]*) \|$", re.MULTILINE)
STABLE = re.compile(r"^mend:|(?:fault|self)\.mend\b|\"mend\"|^    mend: tuple|`mend`|mend=|mend: \[\]")
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
    return [
        path for name in listed.stdout.splitlines() if not NOT_OURS.match(name) and (path := REPOSITORY / name).exists()
    ]


def test_the_glossary_replaces_words() -> None:
    """An empty column would make the next test pass without looking."""
    assert {"mend", "anew", "whence"} <= set(replaced_words())


@cache
def uses() -> dict[str, list[str]]:
    """Where our texts use a replaced word, by word; all words are looked for in one pass."""
    words = sorted(replaced_words(), key=len, reverse=True)
    used = re.compile(rf"\b({'|'.join(words)})(?:s|ed|ing)?\b", re.IGNORECASE)
    found: dict[str, list[str]] = {word: [] for word in words}
    for path in texts():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            for word in used.findall(line):
                if not STABLE.search(line):
                    found[word.lower()].append(f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:80]}")
    return found


@pytest.mark.parametrize("word", replaced_words())
def test_no_text_uses_a_word_that_the_glossary_replaces(word: str) -> None:
    """Each thing has one word, so that a reader can search for it."""
    found = uses()[word]

    assert not found, "\n".join(found)
