"""Reads a cloud file `clouds/NAME.yaml`.

`load` reads and checks one file and reports every mistake at once, each with its line.
Secrets are named by reference (`{env: NAME}` or `{file: PATH}`), never written in the file.
"""

from __future__ import annotations

import datetime
import difflib
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from access.errors import CloudFileError, InputError
from cloud_file import kind_host
from cloud_file.cloud import Cloud
from cloud_file.mistakes import Mistake, contradictions
from cloud_file.ranges import expanded
from cloud_file.reading import Document, Location, read_document
from cloud_file.work_folder import REPOSITORY, cloud_folders

CLOUDS_DIRECTORY = REPOSITORY / "clouds"
MISTAKES_SHOWN = 50
MISTAKE_CHARS = 1000
QUOTED_CHARS = 120
SHAPES = {
    "tuple_type": "a list",
    "model_type": "a mapping",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
    "path_type": "a path",
}
"""pydantic's kinds of errors in words of YAML."""


def known_clouds(*directories: Path) -> list[str]:
    """Names that `--cloud` takes."""
    return sorted({path.stem for directory in directories or cloud_folders() for path in directory.glob("*.yaml")})


def load(name_or_path: str | Path, *, directory: Path | None = None) -> Cloud:
    """Read a cloud file by name (`lab`) or by path (`./somewhere/mine.yaml`).

    Raises:
        InputError: there is no such cloud; the message lists the known ones.
        CloudFileError: the file cannot be used; the message lists every mistake with its line.
    """
    path = file_of(str(name_or_path), *([directory] if directory else ()))
    document = read_document(path)
    whole = expanded({"name": path.stem, **document.content})
    plain = whole.content
    mistakes = [*document.mistakes, *whole.mistakes]
    cloud = None
    try:
        cloud = Cloud.model_validate(kind_host.completed(plain))
    except ValidationError as error:
        unread = {location for location, _ in mistakes}
        found = [(whole.origin(each["loc"]), _words(each)) for each in error.errors() if not _is_echo(each)]
        mistakes += [mistake for mistake in found if mistake[0] not in unread]
    named = {location for location, _ in mistakes}
    found = [(whole.origin(location), text) for location, text in contradictions(plain)]
    mistakes += [mistake for mistake in found if mistake[0] not in named]
    if mistakes or cloud is None:
        raise CloudFileError(_all(path, document, mistakes), remedy="see the commented examples in clouds/")
    return cloud


def _all(path: Path, document: Document, mistakes: list[Mistake]) -> str:
    """The mistakes by line, each once; of very many the first."""
    lines = sorted({(document.line_of(location), _dotted(location), text) for location, text in mistakes})
    shown = [f"  line {line}: {location}: {text[:MISTAKE_CHARS]}" for line, location, text in lines[:MISTAKES_SHOWN]]
    if len(lines) > len(shown):
        shown.append(f"  and {len(lines) - len(shown)} more")
    return "\n".join([f"{path}: {len(lines)} mistake{'s' if len(lines) > 1 else ''} in the cloud file", *shown])


def file_of(name: str, *directories: Path) -> Path:
    """The cloud file that `--cloud` means by a name or a path.

    Raises:
        InputError: there is none; the message lists the known ones.
    """
    folders = directories or cloud_folders()
    is_path = "/" in name or name.endswith((".yaml", ".yml"))
    paths = [Path(name)] if is_path else [folder / f"{name}.yaml" for folder in folders]
    for path in paths:
        if os.path.isfile(path):  # pathlib raises an error for a name that is too long
            return path
    known = known_clouds(*folders)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise InputError(
        f"unknown cloud {_quoted(name)}; known clouds: {', '.join(known) or 'none'}",
        remedy=f"{hint}write {paths[0]} (the commented examples in {folders[-1]} show how)",
    )


def _dotted(location: Location) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.lstrip(".")[:QUOTED_CHARS] or "cloud"


def _words(error: Any) -> str:
    """pydantic's message with what helps in a YAML file."""
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        return "no such key"
    if kind == "missing":
        return "is missing"
    if kind in SHAPES:
        return f"should be {SHAPES[kind]}"
    message = str(error["msg"]).replace("Input should be", "should be").removeprefix("Value error, ")
    if kind == "string_type" and isinstance(given, bool | int | float | datetime.date):
        return f"{message}; YAML reads {given} as a {_kind_of(given)}, so put it in quotes"
    if kind == "string_pattern_mismatch":
        return f"{_quoted(given)} does not fit the pattern {error['ctx']['pattern']}"
    if kind in ("int_type", "float_type", "bool_type", "literal_error", "bool_parsing") and _is_scalar(given):
        return f"{message}, not {_quoted(given)}"
    return message


def _is_echo(error: Any) -> bool:
    """Whether a list is called too short only because its entries are wrong, which is told for each of them."""
    given = error["input"]
    return error["type"] == "too_short" and isinstance(given, list) and len(given) >= error["ctx"]["min_length"]


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "date" if isinstance(value, datetime.date) else "number"


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | bool | int | float)


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= QUOTED_CHARS else f"{text[:QUOTED_CHARS]}…"
