"""Changes of a cloud file: named entries are merged by their name, everything else is replaced."""

from __future__ import annotations

from typing import Any

import pytest

from faults.merging import merge


@pytest.mark.parametrize(
    ("original", "changes", "merged"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        (
            {"hosts": [{"name": "x", "n": 1}, {"name": "y", "n": 2}]},
            {"hosts": [{"name": "y", "n": 3}, {"name": "z"}]},
            {"hosts": [{"name": "x", "n": 1}, {"name": "y", "n": 3}, {"name": "z"}]},
        ),
        ({"hosts": [{"name": "x"}]}, {"hosts": []}, {"hosts": []}),
    ],
    ids=["mapping", "list", "named", "emptied"],
)
def test_changes_are_merged(original: dict[str, Any], changes: dict[str, Any], merged: dict[str, Any]) -> None:
    """Mappings and lists of named entries are merged; other lists are replaced."""
    merge(original, changes)

    assert original == merged
