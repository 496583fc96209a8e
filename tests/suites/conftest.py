"""Checks are called here as functions; their marker is known to acceptances only."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker of checks known."""
    config.addinivalue_line("markers", "check: the id of a check")
