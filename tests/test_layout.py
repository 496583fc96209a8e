"""The repository's own layout keeps the promises that other packages rely on."""

from __future__ import annotations

from pathlib import Path


def test_pypi_fixtures_is_not_shadowed_by_our_folder():
    """OpenStack code imports PyPI's `fixtures`; an __init__.py in ours would break it."""
    assert not (Path(__file__).parent.parent / "fixtures" / "__init__.py").exists()
