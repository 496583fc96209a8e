"""The JSON schema of a cloud file as people write it, with ranges and defaults, for editors and other programs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from cloud_file import each_host
from cloud_file.cloud import Cloud
from cloud_file.deployer import known_deployers
from cloud_file.description import parts
from cloud_file.ranges import COUNTED, SHARED

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RANGED = {
    "type": "string",
    "pattern": r"^\S*\[[0-9A-Za-z]+:[0-9A-Za-z]+(:[0-9]+)?\]\S*$|^[0-9A-Fa-f.:]+-[0-9A-Fa-f.:]+$",
    "maxLength": 255,
}
"""What a range looks like; what it stands for is seen when the file is read."""


def schema() -> dict[str, Any]:
    """The schema. What takes more than one key to see is not in it: `python -m cloud_file check` tells that, too."""
    found = copy.deepcopy(Cloud.model_json_schema())  # parts of it are kept by pydantic
    definitions: dict[str, Any] = found["$defs"]
    for name, model in _models().items():
        _describe(definitions[name] if name != "Cloud" else found, model)
    found["required"] = [key for key in found["required"] if key != "name"]
    properties = found["properties"]
    properties["access"] = {**properties["overcloud_access"], "description": "The same as overcloud_access."}
    properties["deployer"]["anyOf"] = [{"enum": known_deployers()}, {"type": "null"}]
    _take_one_for_a_list(properties["thresholds"])
    for section in dict.fromkeys((*COUNTED, *SHARED)):
        _as_written(definitions, _entry(properties[section]), section)
    for section in SHARED:
        shared = definitions[_entry(properties[section])]["properties"]
        definitions["Defaults"]["properties"][section] |= {"properties": shared, "additionalProperties": False}
    return {
        "$schema": DIALECT,
        **found,
        "title": "Cloud file",
        "description": "A cloud to be accepted: clouds/NAME.yaml. docs/cloud-file.md has each key with an example.",
    }


def _models() -> dict[str, type[BaseModel]]:
    return {part.model.__name__: part.model for part in parts()}


def _describe(definition: dict[str, Any], model: type[BaseModel]) -> None:
    """Meaning and example for each key, as the page has them."""
    for key in next(iter(parts(model))).keys:
        entry = definition["properties"].get(key.name)
        if entry is None:
            continue
        if key.meaning:
            entry["description"] = key.meaning
        if key.example is not None:
            entry["examples"] = [json.loads(json.dumps(key.example, default=str))]


def _entry(listed: Mapping[str, Any]) -> str:
    """The definition that a list's entries have."""
    return str(listed["items"]["$ref"]).rsplit("/", 1)[-1]


def _as_written(definitions: dict[str, Any], name: str, section: str) -> None:
    """Entries may take keys from `defaults`, and their texts may be ranges."""
    definition = definitions[name]
    if section in SHARED and "required" in definition:
        definition["required"] = [key for key in definition["required"] if key == COUNTED.get(section, "name")]
    if section == "guests":
        named = definition.pop("required", ["name"])
        definition["anyOf"] = [{"required": named}, {"required": [each_host.KEY]}]
    if section not in COUNTED:
        return
    for entry in definition["properties"].values():
        for holder, text in _patterns(entry):
            limits = {key: text.pop(key) for key in ("pattern", "maxLength", "type") if key in text}
            holder["anyOf"] = [*[each for each in holder.get("anyOf", ()) if each is not text], limits, dict(RANGED)]


def _patterns(entry: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The text with a pattern that a key takes, and where its alternatives stand."""
    alternatives = [each for each in entry.get("anyOf", ()) if "pattern" in each]
    if "pattern" in entry:
        yield entry, entry
    yield from ((entry, each) for each in alternatives)


def _take_one_for_a_list(thresholds: dict[str, Any]) -> None:
    several = thresholds["additionalProperties"]
    thresholds["additionalProperties"] = {"anyOf": [several, several["items"]]}


def as_text() -> str:
    """As docs/cloud-file.schema.json has it."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
