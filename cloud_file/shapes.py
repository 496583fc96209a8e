"""Parts of a file as YAML reads it, where they have the shape that they should; whatever else stands there is left out.

That a value has the wrong shape is said once, by its own field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def entries(raw: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The mappings of a list, with their indexes."""
    listed = raw.get(key)
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, Mapping):
            yield index, entry


def mapping(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The mapping of that key; an empty one if there is none."""
    value = raw.get(key)
    return value if isinstance(value, Mapping) else {}


def text(raw: Mapping[str, Any], key: str) -> str | None:
    """The text of that key; None if there is none."""
    value = raw.get(key)
    return value if isinstance(value, str) else None


def number(value: Any) -> int:
    """A whole number; 0 if it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
