"""The table of keys in docs/cloud-file.md, below what people wrote there.

`python -m cloud_file describe` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cloud_file.description import BESIDE, Key, Part, parts
from cloud_file.work_folder import REPOSITORY

PAGE = REPOSITORY / "docs" / "cloud-file.md"
BEGIN = "<!-- keys: python -m cloud_file describe -->\n"


def page() -> str:
    """The page: the text before the mark as it is, the keys as the models have them."""
    head = PAGE.read_text(encoding="utf-8").split(BEGIN)[0]
    return head + BEGIN + keys() + "\n"


def keys() -> str:
    """Every key with meaning, default and example, section by section."""
    by_model: dict[type[Any], list[str]] = {}
    for part in parts():
        by_model.setdefault(part.model, []).append(part.place)
    return "\n\n".join(_section(Part(model, places[0]), places) for model, places in by_model.items())


def _section(part: Part, places: list[str]) -> str:
    named = [BESIDE.get(part.model.__name__, place) for place in places]
    title = " and ".join(f"`{place}`" for place in dict.fromkeys(named)) if part.place else "The file"
    about = " ".join((part.model.__doc__ or "").split())
    rows = "\n".join(_row(key) for key in part.keys)
    return f"### {title}\n\n{about}\n\n| key | meaning | default | example |\n|---|---|---|---|\n{rows}"


def _row(key: Key) -> str:
    default = "needed" if key.is_needed else f"`{key.default}`" if key.default else ""
    cells = (f"`{key.name}`", key.meaning, default, f"`{flow(key.example)}`" if key.example is not None else "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def flow(value: Any) -> str:
    """A value as YAML's flow style has it, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_word(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(each) for each in value) + "]"
    return _word(value)


PLAIN_FIRST = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/~_"
SPECIAL = ":#,[]{}\"'&*!|>%@`"


def _word(value: Any) -> str:
    """A scalar, in quotes where YAML would read something else without them."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if not isinstance(value, str):
        return str(value)
    is_plain = (
        value != ""
        and value[0] in PLAIN_FIRST
        and value == value.strip()
        and value.lower() not in ("true", "false", "null", "~")
    )
    is_plain = is_plain and not any(mark in value.replace("://", "") for mark in SPECIAL)
    is_address = value.count(".") == 3 and value.replace(".", "").replace("/", "").isdigit()
    return value if is_plain or is_address else json.dumps(value, ensure_ascii=False)


def write(path: Path = PAGE) -> None:
    """Write the page from the models of now."""
    path.write_text(page(), encoding="utf-8")
