"""Reads a cloud file `clouds/NAME.yaml`.

`load` reads and checks one file and reports every mistake at once, each with its line.
Secrets are named by reference (`{env: NAME}` or `{file: PATH}`), never written in the file.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from access.errors import CloudFileError, InputError
from cloud_file import kind_host
from cloud_file.cloud import REPOSITORY, Cloud
from cloud_file.mistakes import contradictions

CLOUDS_DIRECTORY = REPOSITORY / "clouds"


def known_clouds(directory: Path = CLOUDS_DIRECTORY) -> list[str]:
    """Names that `--cloud` takes."""
    return sorted(path.stem for path in directory.glob("*.yaml"))


def load(name_or_path: str | Path, *, directory: Path = CLOUDS_DIRECTORY) -> Cloud:
    """Read a cloud file by name (`lab`) or by path (`./somewhere/mine.yaml`).

    Raises:
        InputError: there is no such cloud; the message lists the known ones.
        CloudFileError: the file cannot be used; the message lists every mistake with its line.
    """
    path = _path_of(str(name_or_path), directory)
    document = _document(path)
    plain = _plain(document)
    plain.setdefault("name", path.stem)
    mistakes: list[tuple[tuple[int | str, ...], str]] = []
    cloud = None
    try:
        cloud = Cloud.model_validate(kind_host.completed(plain))
    except ValidationError as error:
        mistakes += [(tuple(each["loc"]), _words(each)) for each in error.errors()]
    named = {location for location, _ in mistakes}
    mistakes += [(loc, text) for loc, text in contradictions(plain) if loc not in named]
    if mistakes or cloud is None:
        lines = sorted((_line_of(document, location), location, text) for location, text in mistakes)
        raise CloudFileError(
            "\n".join(
                [f"{path}: {len(lines)} mistake{'s' if len(lines) > 1 else ''} in the cloud file"]
                + [f"  line {line}: {_dotted(location)}: {text}" for line, location, text in lines]
            ),
            remedy="see the commented examples in clouds/",
        )
    return cloud


def _path_of(name: str, directory: Path) -> Path:
    path = Path(name) if "/" in name or name.endswith((".yaml", ".yml")) else directory / f"{name}.yaml"
    if path.is_file():
        return path
    known = known_clouds(directory)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise InputError(
        f"unknown cloud {name!r}; known clouds: {', '.join(known) or 'none'}",
        remedy=f"{hint}write {path} (the commented examples in {directory} show how)",
    )


def _document(path: Path) -> Any:
    try:
        document = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise CloudFileError(f"{path}: line {line}: not YAML: {error.problem or error.context}") from error
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        raise CloudFileError(f"{path}: cannot be read: {error}") from error
    if not isinstance(document, Mapping):
        raise CloudFileError(f"{path}: line 1: a cloud file is a mapping that starts with `kind:`")
    return document


def _plain(node: Any) -> Any:
    """ruamel's annotated containers and scalars as plain ones."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _line_of(document: Any, location: Sequence[int | str]) -> int:
    """The line, from 1, of the nearest thing in the file that a location names."""
    node: Any = document
    line = 1
    for step in location:
        try:
            position = node.lc.key(step) if hasattr(node, "keys") else node.lc.item(step)
            node = node[step]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
        line = position[0] + 1
    return line


def _dotted(location: Sequence[int | str]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.lstrip(".") or "cloud"


def _words(error: Any) -> str:
    """pydantic's message with what helps in a YAML file."""
    if error["type"] == "extra_forbidden":
        return "no such key"
    if error["type"] == "missing":
        return "is missing"
    message = str(error["msg"]).replace("Input should be", "should be")
    if error["type"] == "string_type" and isinstance(error["input"], int | float):
        return f"{message}; YAML reads {error['input']} as a number, so put it in quotes"
    if error["type"] == "string_pattern_mismatch":
        return f"{error['input']!r} does not fit the pattern {error['ctx']['pattern']}"
    return message


# -- what no single field can know ----------------------------------------------------------------
