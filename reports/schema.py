"""The JSON schema of a run's records, made from their dataclasses: docs/records.schema.json.

python -m reports schema > docs/records.schema.json
"""

from __future__ import annotations

import ast
import inspect
import json
from typing import Any, Literal

from pydantic import TypeAdapter

from judging import coverage, outcome
from judging import records as judging_records
from probes import card_identity
from reports import records
from reports.chain import FIELD
from reports.records import ADAPTERS, KINDS, SCHEMA_VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CHAIN = "sha256 of the line before's, followed by this line without it; lines of older suites have none."
MODE: Literal["serialization"] = "serialization"


def schema() -> dict[str, Any]:
    """What each line of records.jsonl has to be, with the words of the dataclasses."""
    inputs = [(name, MODE, ADAPTERS[kind]) for kind, name in KINDS.items()]
    references, found = TypeAdapter.json_schemas(inputs, ref_template="#/$defs/{model}")
    definitions = found["$defs"]
    for name, words in _words().items():
        if name in definitions:
            _complete(definitions[name], words)
    for kind, name in KINDS.items():
        definition = definitions[kind.__name__]
        definition["properties"] = {"kind": {"const": name}, **definition["properties"]}
        definition["required"].insert(0, "kind")
        definition["properties"][FIELD] = {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": CHAIN}
    definitions["RunHeader"]["properties"]["schema_version"]["const"] = SCHEMA_VERSION
    return {
        "$schema": DIALECT,
        "title": f"One line of a run's records, version {SCHEMA_VERSION}",
        "oneOf": [references[name, MODE] for name in KINDS.values()],
        "$defs": dict(sorted(definitions.items())),
    }


def as_text() -> str:
    """The file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _complete(definition: dict[str, Any], words: dict[str, str]) -> None:
    """Every field is always written, and no other."""
    if "properties" not in definition:
        return
    definition["additionalProperties"] = False
    definition["required"] = list(definition["properties"])
    for name, field in definition["properties"].items():
        field.pop("title", None)
        field.pop("default", None)
        if name in words:
            field["description"] = words[name]


def _words() -> dict[str, dict[str, str]]:
    """Class to field to the string below it, which Python itself does not keep."""
    trees = (
        ast.parse(inspect.getsource(module)) for module in (card_identity, coverage, judging_records, outcome, records)
    )
    return {node.name: _words_of(node) for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


def _words_of(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        text = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else None
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, str):
            found[field.target.id] = inspect.cleandoc(text)
    return found
