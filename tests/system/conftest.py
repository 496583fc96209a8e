"""One lab of our own for all tests that need a whole cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from whole_lab import WholeLab, running_lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeLab]:
    """A running lab in which nothing is provisioned yet."""
    with running_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made
