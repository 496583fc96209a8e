"""Real answers of tools, each with what it says: pairs samples/TOOL/NAME.txt and NAME.yaml, found by name.

A pair's YAML has `source`, a `note` where something is odd, and either `expect` (a part of the data that must be there;
of a long list `length`, `first` and `last` are enough) or `error` (type, kind, quoted line, words of the message).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from probe_parsers import PARSERS, SAMPLES

from access import errors

PAIRS = sorted(path.relative_to(SAMPLES).with_suffix("") for path in SAMPLES.glob("*/*.txt"))
KEYS = {"source", "note", "expect", "error"}


def plain(value: Any) -> Any:
    """Data as YAML writes it: of a dataclass its fields and properties, of a pair as a key its members by comma."""
    if dataclasses.is_dataclass(value):
        properties = [name for name, item in vars(type(value)).items() if isinstance(item, property)]
        names = [field.name for field in dataclasses.fields(value)] + properties
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(_key(item) for item in value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _key(key: Any) -> Any:
    return ", ".join(str(part) for part in key) if isinstance(key, tuple) else str(key) if isinstance(key, str) else key


def differences(found: Any, expected: Any, place: str = "") -> list[str]:
    """Where the data differs from what is expected of it."""
    if isinstance(expected, dict) and isinstance(found, list) and set(expected) <= {"length", "first", "last"}:
        return _ends(found, expected, place)
    if isinstance(expected, dict) and isinstance(found, dict):
        missing = [f"{place}.{key} is missing" for key in expected if key not in found]
        common = [key for key in expected if key in found]
        return missing + [text for key in common for text in differences(found[key], expected[key], f"{place}.{key}")]
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return [f"{place} has {len(found)} members, not {len(expected)}"]
        pairs = enumerate(zip(found, expected, strict=True))
        return [text for number, pair in pairs for text in differences(*pair, f"{place}[{number}]")]
    same = found == (pytest.approx(expected) if isinstance(expected, float) else expected)
    return [] if same and (found is None) == (expected is None) else [f"{place} is {found!r}, not {expected!r}"]


def _ends(found: list[Any], expected: dict[str, Any], place: str) -> list[str]:
    if len(found) != expected["length"]:
        return [f"{place} has {len(found)} members, not {expected['length']}"]
    ends = [(name, found[place]) for name, place in (("first", 0), ("last", -1)) if name in expected]
    return [text for name, member in ends for text in differences(member, expected[name], f"{place}.{name}")]


def test_every_sample_has_its_pair_and_every_tool_its_samples():
    """Each sample has its expectation, and each parser has samples."""
    texts = {path.with_suffix("") for path in SAMPLES.glob("*/*.txt")}
    answers = {path.with_suffix("") for path in SAMPLES.glob("*/*.yaml")}
    folders = {path.name for path in SAMPLES.iterdir()}
    others = [path for path in SAMPLES.rglob("*") if path.is_file() and path.suffix not in (".txt", ".yaml")]

    assert not texts ^ answers
    assert not others
    assert folders == set(PARSERS)
    assert {path.parent.name for path in texts} == set(PARSERS), "a folder without samples"


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_sample(pair: Path):
    """A real answer gives the data, or the error, that is written beside it."""
    text = (SAMPLES / f"{pair}.txt").read_bytes().decode()
    document = yaml.safe_load((SAMPLES / f"{pair}.yaml").read_text())
    assert set(document) <= KEYS
    assert document["source"]
    assert ("expect" in document) != ("error" in document)

    if "expect" in document:
        assert document["expect"], "expects nothing"
        assert differences(plain(PARSERS[pair.parent.name](text)), document["expect"]) == []
    else:
        _fails_as_expected(pair.parent.name, text, document["error"])


def _fails_as_expected(tool: str, text: str, expected: dict[str, Any]) -> None:
    with pytest.raises(errors.ParseError) as caught:
        PARSERS[tool](text)

    error = caught.value
    assert type(error) is getattr(errors, expected["type"])
    assert getattr(error, "kind", None) == expected.get("kind")
    assert expected.get("says", "") in error.reason
    assert "line" not in expected or error.line == expected["line"]
    assert "line_number" not in expected or error.line_number == expected["line_number"]
    assert error.line, "quotes nothing"
