"""What each key of a cloud file means, its default and an example: from the models, for the page and for editors."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from access.data_files import read_data
from cloud_file.cloud import Cloud

FILE = Path(__file__).parent / "keys.yaml"
BESIDE = {"Threshold": "thresholds"}
"""Models that stand behind a mapping of free keys."""


@dataclass(frozen=True)
class Key:
    """One key of a cloud file."""

    model: str
    name: str
    meaning: str
    """One paragraph of Markdown; "" if nobody says it."""
    default: str
    """As the file would say it; "" if the key is needed, or if nothing holds without it."""
    is_needed: bool
    example: Any
    """None if there is none."""


@dataclass(frozen=True)
class Part:
    """One model, and where files have it."""

    model: type[BaseModel]
    place: str
    """Keys on the way, `[]` for a list's entries; "" for the file itself."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """Its keys in the order of the model."""
        return tuple(_key(self.model, name, field) for name, field in self.model.model_fields.items())


def parts(model: type[BaseModel] = Cloud, place: str = "") -> Iterator[Part]:
    """Every model of a cloud file in the order of reading; one that stands in several places comes with each."""
    yield Part(model, place)
    for name, field in model.model_fields.items():
        for below, suffix in _models(field.annotation):
            yield from parts(below, f"{place}.{field.alias or name}{suffix}".lstrip("."))


def _models(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """Models within a type, each with `[]` for each list around it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ""
        return
    is_list = get_origin(annotation) in (tuple, list)
    for argument in dict.fromkeys(get_args(annotation)):
        if argument is not Ellipsis and not isinstance(argument, str):
            yield from ((model, ("[]" if is_list else "") + suffix) for model, suffix in _models(argument))


@cache
def _data() -> dict[str, Any]:
    found: dict[str, Any] = read_data(FILE)
    return found


def _key(model: type[BaseModel], name: str, field: FieldInfo) -> Key:
    written = field.alias or name
    said = _data().get(model.__name__, {}).get(written, {})
    meaning = docstrings(model).get(name) or str(said.get("meaning", ""))
    choices = _choices(field.annotation)
    if choices:
        meaning = f"{meaning} One of {', '.join(f'`{each}`' for each in choices)}."
    needed = field.is_required() and (model is not Cloud or name != "name")
    return Key(model.__name__, written, meaning, _default(field), needed, said.get("example"))


def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The text below each field, of the model's own class and of those that it builds on."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            found.update(_own_docstrings(each))
    return found


@cache
def _own_docstrings(model: type[BaseModel]) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    found = {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for field, text in itertools.pairwise(statements):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def _choices(annotation: Any) -> list[str]:
    """The words of a Literal, also one that may be left out."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [word for each in get_args(annotation) for word in _choices(each)]
    arguments = get_args(annotation)
    is_literal = arguments and all(isinstance(each, str) for each in arguments) and get_origin(annotation) is not None
    return [str(each) for each in arguments] if is_literal else []


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, BaseModel) or value in ((), {}):
        return ""
    return json.dumps(TypeAdapter(Any).dump_python(value, mode="json"))
