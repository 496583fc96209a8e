"""The page of keys and the JSON schema are what the code reads, and every key is explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from cloud_file import page
from cloud_file.cloud import Cloud
from cloud_file.description import FILE, Key, parts
from cloud_file.loading import CLOUDS_DIRECTORY
from cloud_file.ranges import expanded
from cloud_file.schema import as_text, schema

REPOSITORY = Path(__file__).resolve().parents[2]
CLOUDS = sorted(CLOUDS_DIRECTORY.rglob("*.yaml"))
VALIDATOR = jsonschema.Draft202012Validator(schema())
KEYS = list({(key.model, key.name): (part.model, key) for part in parts() for key in part.keys}.values())


def _plain(path: Path) -> Any:
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")), default=str))


def test_the_page_has_the_keys_of_the_code() -> None:
    """Else run: python -m cloud_file describe."""
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


def test_the_published_schema_is_that_of_the_code() -> None:
    """Else run: python -m cloud_file schema > docs/cloud-file.schema.json."""
    assert (REPOSITORY / "docs" / "cloud-file.schema.json").read_text(encoding="utf-8") == as_text()


@pytest.mark.parametrize(
    ("model", "key"), KEYS, ids=lambda each: f"{each.model}.{each.name}" if isinstance(each, Key) else ""
)
def test_every_key_has_a_meaning_and_an_example_that_can_be_used(model: type[Any], key: Key) -> None:
    """The meaning stands below the key in the code or in cloud_file/keys.yaml, the example in the latter."""
    assert key.meaning, f"say below {key.name} of {key.model}, or in {FILE.name}, what it means"
    assert key.example is not None, f"give {key.model}.{key.name} an example in {FILE.name}"
    field = next(each for name, each in model.model_fields.items() if (each.alias or name) == key.name)
    if key.model != "Cloud":  # sections are shown in part there
        TypeAdapter(field.rebuild_annotation()).validate_python(_one(key))


def _one(key: Key) -> Any:
    """The example without a range: the first of what it stands for."""
    if not isinstance(key.example, str):
        return key.example
    entry = {"name": key.example, "address": key.example} if "[" in key.example else {}
    return expanded({"hosts": [entry]}).content["hosts"][0]["name"] if entry else key.example


@pytest.mark.parametrize("path", CLOUDS, ids=lambda path: path.stem)
def test_every_cloud_file_of_ours_fits_the_schema(path: Path) -> None:
    """With ranges and defaults as they are written."""
    VALIDATOR.validate(_plain(path))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "cloud"),
        ("deployer", "kola-ansible"),
        ("hosts", [{"name": "gpu 1"}]),
        ("hosts", [{"name": "gpu[1:2", "role": "Compute"}]),
        ("hosts", [{"name": "gpu1", "adress": "192.0.2.1"}]),
        ("guests", [{"flavor": "a"}]),
        ("defaults", {"hosts": {"firmwar": "uefi"}}),
        ("gpus", [{"model": "A", "product_id": 2331, "device_type": "type-PF"}]),
        ("thresholds", {"bandwidth.h2d": {"minimum": "fast", "reason": "x"}}),
    ],
)
def test_an_editor_is_told_of_mistakes(key: str, value: Any) -> None:
    """A schema that takes everything would pass the test above."""
    content = _plain(CLOUDS_DIRECTORY / "examples" / "twelve-by-eight.yaml")
    assert VALIDATOR.is_valid(content)

    assert not VALIDATOR.is_valid({**content, key: value})


def test_the_schema_names_every_key_of_the_code() -> None:
    """And the second name of the access."""
    assert set(schema()["properties"]) == {*Cloud.model_fields, "access"}


def test_values_are_written_as_yaml_reads_them() -> None:
    """Quotes where a plain word would become a number, a list or nothing."""
    value = {
        "id": "10de",
        "version": "9.0",
        "no": "off: x",
        "range": "gpu[01:12]",
        "plain": "a/b",
        "n": 5,
        "t": True,
        "e": "",
    }

    assert YAML(typ="safe", pure=True).load(page.flow(value)) == value
