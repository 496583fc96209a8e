"""The house keeps its order: rooms, contract, pages."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import draw_architecture  # noqa: E402  a script, found by the line above

ROOMS = [room for floor in draw_architecture.floors() for room in floor] + ["fixtures", *draw_architecture.BESIDE]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def test_pypi_fixtures_is_not_shadowed_by_our_folder() -> None:
    """OpenStack code imports PyPI's `fixtures`; an __init__.py in ours would break it."""
    assert not (ROOT / "fixtures" / "__init__.py").exists()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_its_question_first(room: str) -> None:
    """The first line of each room is the question that it answers."""
    assert 5 < len(draw_architecture.question(room)) < 60


def test_every_folder_with_code_is_a_room() -> None:
    """A new folder beside the rooms would stand outside the contract."""
    folders = {path.parent.name for path in ROOT.glob("*/*.py")}

    assert folders - {"tests", "scripts"} <= set(ROOMS)


def test_every_fixture_module_is_in_the_contract() -> None:
    """The contract names the modules of fixtures/ one by one, since they are no package."""
    contract = (ROOT / ".importlinter").read_text(encoding="utf-8").split("contract:fixtures]")[1].split("[import")[0]

    assert {path.stem for path in (ROOT / "fixtures").glob("*.py")} <= set(contract.split())


def test_the_picture_is_that_of_the_contract() -> None:
    """Else run: python scripts/draw_architecture.py."""
    assert draw_architecture.PAGE.read_text(encoding="utf-8") == draw_architecture.page()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    """A link within the project is the path of a file."""
    broken = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]

    assert not broken


def test_every_decision_stands_in_the_index() -> None:
    """A decision that no topic lists is not found again."""
    index = draw_architecture.PAGE.read_text(encoding="utf-8")

    assert not [path.name for path in (ROOT / "docs" / "decisions").glob("*.md") if path.name not in index]
