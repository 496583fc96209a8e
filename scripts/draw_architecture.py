"""Draws the rooms of the house from the import contract and from each room's own first line.

python scripts/draw_architecture.py    # writes the picture into docs/index.md
"""

from __future__ import annotations

import ast
import configparser
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "index.md"
BEGIN, END = "<!-- architecture: scripts/draw_architecture.py -->\n", "<!-- /architecture -->"
COLUMN_CHARS = 52
BESIDE = {
    "gpu_acceptance": "imports any room where it is needed, is imported by none",
    "faults": "imports any room, is imported by none",
    "lab": "imports none",
}
"""Rooms outside the floors; the contracts `entry`, `lab` and `faults` keep them there."""


def floors() -> list[list[str]]:
    """The rooms of each floor, from the top."""
    contract = configparser.ConfigParser()
    contract.read(REPOSITORY / ".importlinter", encoding="utf-8")
    layers = contract["importlinter:contract:floors"]["layers"].split("\n")
    return [[room.strip() for room in layer.split("|")] for layer in layers if layer.strip()]


def question(room: str) -> str:
    """What a room answers: the first sentence of its `__init__.py` or, where it is no package, of its README.md."""
    package = REPOSITORY / room / "__init__.py"
    if package.exists():
        text = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or ""
    else:
        text = (REPOSITORY / room / "README.md").read_text(encoding="utf-8")
    return text.splitlines()[0].split("?")[0] + "?"


def picture() -> str:
    """Each floor a line; a room may import from the lines below its own."""
    lines = []
    for floor in floors():
        lines.append("".join(_shown(room).ljust(COLUMN_CHARS) for room in floor).rstrip())
        if "suites" in floor:
            lines.append(f"  through {_shown('fixtures')}")
    lines += ["", *(f"{_shown(room).ljust(COLUMN_CHARS)}{rule}" for room, rule in BESIDE.items())]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _shown(room: str) -> str:
    return f"{room + '/':<15} {question(room)}"


def page() -> str:
    """docs/index.md with the picture of today's contract."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return before + BEGIN + picture() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
