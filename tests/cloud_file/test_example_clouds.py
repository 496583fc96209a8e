"""The commented examples are cloud files that can be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud_file.loading import CLOUDS_DIRECTORY, load

EXAMPLES = sorted((CLOUDS_DIRECTORY / "examples").glob("*.yaml"))


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_no_mistake(path: Path):
    cloud = load(path)

    assert cloud.name == path.stem
