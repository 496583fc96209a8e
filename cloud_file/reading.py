"""A YAML file as plain data with the line of everything in it, whatever the file holds.

Only what JSON knows is read, and dates: mappings, lists, text, numbers, booleans, null. Size, depth and the values that
aliases expand to are bounded, since four hundred bytes of YAML can stand for millions of values.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from access.errors import CloudFileError

Location = tuple[int | str, ...]
"""Keys and indexes on the way to a value."""

SIZE_LIMIT_BYTES = 256 * 1024
"""A thousand hosts take half of it."""
DEPTH_LIMIT = 40
VALUES_LIMIT = 20_000
"""Of the file as it is read: an alias counts as often as it is used."""
TEXT_LIMIT_CHARS = 32 * 1024
"""Parameters of a deploy hold chains of certificates."""
INTEGER_LIMIT = 2**63
TAG = "tag:yaml.org,2002:"
MERGE = f"{TAG}merge"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
"""Also halves of characters, which no encoding can write."""
NO_CHARACTER = re.compile(r"\\U(?!0010|000[0-9a-fA-F])[0-9a-fA-F]{8}")
INTEGER = re.compile(r"[-+]?(?:0x[0-9a-fA-F_]+|0o[0-7_]+|[0-9][0-9_]*)")
BASES = {"0x": 16, "0o": 8}
BOOLEANS = {"true": True, "false": False}


class _RefusedError(Exception):
    """The file as a whole cannot be read: the line, and why."""

    def __init__(self, node: Any, why: str) -> None:
        super().__init__(f"line {node.start_mark.line + 1}: {why}")


@dataclass(frozen=True)
class Document:
    """The content of a file, and what in it cannot be read."""

    content: dict[str, Any]
    lines: Mapping[Location, int]
    """From 1."""
    mistakes: tuple[tuple[Location, str], ...]

    def line_of(self, location: Location) -> int:
        """The line of the nearest thing in the file that a location names."""
        for length in range(len(location), 0, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return 1


def read_document(path: Path) -> Document:
    """Read one file.

    Raises:
        CloudFileError: it is no YAML, no mapping, or too large; names the line.
    """
    text = _text_of(path)
    try:
        node = _composed(text)
        reader = _Reader()
        if not isinstance(node, MappingNode):
            raise CloudFileError(f"{path}: line 1: a cloud file is a mapping that starts with `kind:`")
        return Document(reader.value(node, ()) or {}, reader.lines, tuple(reader.mistakes))
    except _RefusedError as error:
        raise CloudFileError(f"{path}: {error}") from error
    except (ValueError, OverflowError) as error:  # of the scanner, which knows no line then
        found = NO_CHARACTER.search(text)
        line = text.count("\n", 0, found.start() if found else 0) + 1
        raise CloudFileError(f"{path}: line {line}: an escape that stands for no character") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise CloudFileError(f"{path}: line {line}: not YAML: {error.problem or error.context}") from error
    except YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        said = getattr(error, "reason", None) or str(error)
        raise CloudFileError(f"{path}: line {line}: not YAML: {said}") from error


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(SIZE_LIMIT_BYTES + 1)
    except OSError as error:
        raise CloudFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > SIZE_LIMIT_BYTES:
        line = data.count(b"\n") + 1
        raise CloudFileError(f"{path}: line {line}: larger than {SIZE_LIMIT_BYTES // 1024} KiB: no cloud file is")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CloudFileError(f"{path}: line {line}: not UTF-8: {error.reason}") from error


class _BoundedComposer(Composer):
    """Refuses a depth at which Python's own stack would end, and what takes minutes to read."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self._depth = self._count = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose the node that comes next."""
        self._depth += 1
        self._count += 1
        try:
            if self._depth > DEPTH_LIMIT:
                raise _RefusedError(self.parser.peek_event(), f"nested deeper than {DEPTH_LIMIT} levels")
            if self._count > 2 * VALUES_LIMIT:  # keys count here, too
                raise _RefusedError(self.parser.peek_event(), f"more than {VALUES_LIMIT} values")
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _composed(text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _BoundedComposer
    node: Node | None = yaml.compose(text)
    return node


@dataclass
class _Reader:
    """Turns nodes into plain values; what cannot be read becomes a mistake and the value None."""

    lines: dict[Location, int] = field(default_factory=dict)
    mistakes: list[tuple[Location, str]] = field(default_factory=list)
    count: int = 0
    open: list[int] = field(default_factory=list)

    def value(self, node: Node, here: Location) -> Any:
        """The value of a node at a location."""
        self.count += 1
        if self.count > VALUES_LIMIT:
            raise _RefusedError(node, f"more than {VALUES_LIMIT} values; an alias counts as often as it is used")
        if id(node) in self.open:
            raise _RefusedError(node, "an alias within what it stands for")
        self.lines.setdefault(here, node.start_mark.line + 1)
        if isinstance(node, ScalarNode):
            return self._scalar(node, here)
        self.open.append(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, here)
            if isinstance(node, SequenceNode) and self._has_tag(node, "seq", here):
                return [self.value(item, (*here, index)) for index, item in enumerate(node.value)]
            return None
        finally:
            self.open.pop()

    def _has_tag(self, node: Node, kind: str, here: Location) -> bool:
        if node.tag == f"{TAG}{kind}":
            return True
        self.mistakes.append((here, _unknown_tag(str(node.tag))))
        return False

    def _mapping(self, node: MappingNode, here: Location) -> Any:
        if not self._has_tag(node, "map", here):
            return None
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if isinstance(key_node, ScalarNode) and key_node.tag == MERGE and key_node.style is None:
                for key, value in self._merged(value_node, here).items():
                    merged.setdefault(key, value)
                continue
            name = self._key(key_node, here)
            if name is None:
                continue
            self.lines[(*here, name)] = key_node.start_mark.line + 1
            if name in found:
                self.mistakes.append(((*here, name), "is given twice"))
            found[name] = self.value(value_node, (*here, name))
        return {**merged, **found}

    def _key(self, node: Node, here: Location) -> str | None:
        if isinstance(node, ScalarNode) and len(node.value) <= 255 and not CONTROL.search(node.value):
            return str(node.value)
        line = node.start_mark.line + 1
        self.lines[(*here, "?")] = line
        self.mistakes.append(((*here, "?"), "a key is one word, not a list, a mapping or a long text"))
        return None

    def _merged(self, node: Node, here: Location) -> dict[str, Any]:
        """What `<<` brings: a mapping, or several of which the first that has a key counts."""
        if isinstance(node, MappingNode):
            return self.value(node, here) or {}
        if isinstance(node, SequenceNode) and all(isinstance(item, MappingNode) for item in node.value):
            values = [self.value(item, here) or {} for item in node.value]
            return {key: value for each in reversed(values) for key, value in each.items()}
        self.lines[(*here, "<<")] = node.start_mark.line + 1
        self.mistakes.append(((*here, "<<"), "takes a mapping or a list of mappings"))
        return {}

    def _scalar(self, node: ScalarNode, here: Location) -> Any:
        text, tag = str(node.value), str(node.tag)
        if len(text) > TEXT_LIMIT_CHARS:
            self.mistakes.append((here, f"{len(text)} characters: no value is that long"))
            return None
        if CONTROL.search(text):
            self.mistakes.append((here, "has a control character"))
            return None
        read = SCALARS.get(tag.removeprefix(TAG)) if tag.startswith(TAG) else None
        if read is None:
            self.mistakes.append((here, _unknown_tag(tag)))
            return None
        try:
            return read(text)
        except (ValueError, OverflowError) as error:
            self.mistakes.append((here, f"{text[:60]!r} cannot be read: {error}"))
            return None


def _unknown_tag(tag: str) -> str:
    return f"the tag {tag.replace(TAG, '!!')[:80]!r} is not read here"


def _boolean(text: str) -> bool:
    if text.lower() not in BOOLEANS:
        raise ValueError("neither true nor false")
    return BOOLEANS[text.lower()]


def _integer(text: str) -> int:
    if not INTEGER.fullmatch(text):
        raise ValueError("no whole number in YAML 1.2")
    digits = text.replace("_", "")
    if len(digits) > 24:
        raise ValueError(f"a number of {len(digits)} digits; put it in quotes if it is text")
    unsigned = digits.lstrip("+-")
    value = int(unsigned, BASES.get(unsigned[:2], 10))
    if value >= INTEGER_LIMIT:
        raise ValueError("a number beyond 64 bits; put it in quotes if it is text")
    return -value if digits.startswith("-") else value


def _real(text: str) -> float:
    plain = text.replace("_", "").lower()
    return float(plain.replace(".inf", "inf").replace(".nan", "nan"))


SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": _integer,
    "float": _real,
    "bool": _boolean,
    "null": lambda text: None,
    "timestamp": datetime.date.fromisoformat,
    "merge": str,
    "value": str,
}
