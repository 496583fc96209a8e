"""Changes of a cloud file or of declared machines, merged into the original."""

from __future__ import annotations

from typing import Any


def merge(content: dict[str, Any], changes: dict[str, Any]) -> None:
    """Put changes into a mapping; lists of named things are merged by name, other lists are replaced."""
    for key, value in changes.items():
        old = content.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            merge(old, value)
        elif _is_named(value) and _is_named(old):
            _merge_named(content[key], value)
        else:
            content[key] = value


def _is_named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "name" in item for item in value)


def _merge_named(entries: list[dict[str, Any]], changes: list[dict[str, Any]]) -> None:
    for change in changes:
        known = next((entry for entry in entries if entry["name"] == change["name"]), None)
        if known is None:
            entries.append(change)
        else:
            merge(known, change)
