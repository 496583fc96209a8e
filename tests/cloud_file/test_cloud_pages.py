"""The pages of deployers are what the script writes from their files, and the index lists each of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import write_cloud_pages  # noqa: E402  a script, found by the line above


@pytest.mark.parametrize("name", write_cloud_pages.names())
def test_a_page_is_that_of_its_deployer(name: str) -> None:
    """Else run: python scripts/write_cloud_pages.py."""
    written = write_cloud_pages.FOLDER / f"{name}.md"

    assert written.read_text(encoding="utf-8") == write_cloud_pages.page(name)
    assert f"clouds/{name}.md" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", write_cloud_pages.names())
def test_a_verdict_takes_ten_lines(name: str) -> None:
    """More, and nobody begins."""
    note = write_cloud_pages.read_data(write_cloud_pages.FOLDER / "notes.yaml")[name]

    assert len(write_cloud_pages.first_lines(note).splitlines()) <= 10
