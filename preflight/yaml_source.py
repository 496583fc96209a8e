"""YAML with positions: which text stands where, and what YAML makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from access.data_files import LOADER
from preflight.finding import Location

NULL = "tag:yaml.org,2002:null"
MAX_DEPTH = 100
"""Deeper files are refused: no template is, and recursion must end."""
SURELY_COMPOSED = 5_000
"""So many levels are composed in a stack of 8 MB, and more; 50,000 end the process."""
MAX_NODES = 1_000_000
"""Larger documents, aliases written out, are refused."""


class YamlError(Exception):
    """The text is not YAML; carries the position."""

    def __init__(self, reason: str, location: Location) -> None:
        super().__init__(reason)
        self.location = location


@dataclass(frozen=True)
class Node:
    """One YAML node of one file."""

    path: Path
    raw: Any
    """PyYAML's node."""
    origin: Location | None = None
    """Where it stands when it was read from a text inside the file."""

    @property
    def location(self) -> Location:
        """Where the node starts."""
        if self.origin is not None:
            return self.origin
        mark = self.raw.start_mark
        return Location(self.path, mark.line + 1, mark.column + 1)

    @property
    def text(self) -> str:
        """A scalar's text as written, without quotes; "" for anything else."""
        return str(self.raw.value) if isinstance(self.raw, yaml.ScalarNode) else ""

    @property
    def is_mapping(self) -> bool:
        """Whether this is `key: value` pairs."""
        return isinstance(self.raw, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether this is a list."""
        return isinstance(self.raw, yaml.SequenceNode)

    @property
    def is_scalar(self) -> bool:
        """Whether this is a single value."""
        return isinstance(self.raw, yaml.ScalarNode)

    @property
    def is_block_text(self) -> bool:
        """Whether this is a literal block (`|`), as scripts in templates are."""
        return self.is_scalar and self.raw.style == "|"

    @property
    def is_plain(self) -> bool:
        """Whether this is a scalar without quotes, whose type the loader guesses."""
        return self.is_scalar and not self.raw.style

    @property
    def written(self) -> str:
        """A scalar as it stands in the file, quotes included; right for texts without escapes and line ends."""
        quote = self.raw.style if self.is_scalar and self.raw.style in ("'", '"') else ""
        return f"{quote}{self.text}{quote}"

    @property
    def scalar_type(self) -> str:
        """What YAML 1.1 makes of a scalar: str, int, float, bool, null, timestamp …"""
        return str(self.raw.tag).rsplit(":", 1)[-1]

    def items(self) -> Iterator[tuple[Node, Node]]:
        """Key and value nodes of a mapping, in order; nothing for anything else."""
        if self.is_mapping:
            for key, value in self.raw.value:
                yield Node(self.path, key), Node(self.path, value)

    @property
    def repeats_a_key(self) -> bool:
        """Whether a mapping has two keys of one text."""
        texts = [key.value for key, _ in self.raw.value if isinstance(key, yaml.ScalarNode)] if self.is_mapping else []
        return len(set(texts)) < len(texts)

    def get(self, key: str) -> Node | None:
        """The value of `key`: the last one, as YAML loaders take it."""
        for name, value in reversed(self.raw.value) if self.is_mapping else ():
            if name.value == key and isinstance(name, yaml.ScalarNode):
                return Node(self.path, value)
        return None

    def find(self, *keys: str) -> Node | None:
        """The value below a path of keys."""
        node: Node | None = self
        for key in keys:
            node = node.get(key) if node else None
        return node

    def elements(self) -> list[Node]:
        """Elements of a list; a single value counts as a list of one; nothing for a mapping."""
        if self.is_list:
            return [Node(self.path, element) for element in self.raw.value]
        return []

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """This node and all nodes below it, kept: for whole documents, which many rules go through."""
        return tuple(self.walk())

    def walk(self) -> Iterator[Node]:
        """This node and all nodes below it."""
        yield self
        stack = _children(self.raw)[::-1]
        while stack:
            raw = stack.pop()
            yield Node(self.path, raw)
            if not isinstance(raw, yaml.ScalarNode):
                stack.extend(_children(raw)[::-1])


def compose(path: Path, text: str) -> Node | None:
    """Read one YAML document; None if it is empty.

    Raises:
        YamlError: not YAML, several documents, nested deeper than MAX_DEPTH, or aliases that never end or multiply.
    """
    documents = compose_all(path, text)
    if len(documents) > 1:
        raise YamlError("expected one document, found several", documents[1].location)
    return documents[0] if documents else None


def compose_all(path: Path, text: str) -> list[Node]:
    """Read every YAML document that is not empty.

    Raises:
        YamlError: not YAML, nested deeper than MAX_DEPTH, or aliases that never end or multiply.
    """
    try:
        if _may_be_deep(text):
            _check_depth(path, text)
        found = list(yaml.compose_all(text, Loader=LOADER))
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise YamlError(_reason(error), _location(path, error)) from error
    for raw in found:
        _check_size(path, raw)
    return [Node(path, raw) for raw in found if raw.tag != NULL]


def _may_be_deep(text: str) -> bool:
    """Whether it could overflow libyaml's stack, which composes by recursion: a block's level takes a column of a line,
    two if a list stands in a mapping."""
    return text.count("{") + text.count("[") + 2 * max(map(len, text.splitlines()), default=0) > SURELY_COMPOSED


def _check_depth(path: Path, text: str) -> None:
    """Refuse by the parser's events, for which no stack is needed."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            mark: Any = event.start_mark
            raise YamlError("nested too deeply", Location(path, mark.line + 1, mark.column + 1))


def _children(raw: Any) -> list[Any]:
    if isinstance(raw, yaml.MappingNode):
        return [child for pair in raw.value for child in pair]
    return list(raw.value) if isinstance(raw, yaml.SequenceNode) else []


def _check_size(path: Path, raw: Any) -> None:
    """Refuse what cannot be walked: an alias inside its own anchor, and aliases of aliases (billion laughs)."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    stack = [(raw, 0, False)]
    while stack:
        node, depth, is_left = stack.pop()
        location = Location(path, node.start_mark.line + 1, node.start_mark.column + 1)
        if is_left:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in _children(node))
            if sizes[id(node)] > MAX_NODES:
                raise YamlError(f"its aliases expand to more than {MAX_NODES} nodes", location)
        elif id(node) in open_nodes:
            raise YamlError("an alias stands inside its own anchor", location)
        elif depth > MAX_DEPTH:
            raise YamlError("nested too deeply", location)
        elif id(node) not in sizes:
            open_nodes.add(id(node))
            stack.append((node, depth, True))
            stack.extend(
                (child, depth + 1, False) for child in _children(node) if not isinstance(child, yaml.ScalarNode)
            )
            sizes.update((id(child), 1) for child in _children(node) if isinstance(child, yaml.ScalarNode))


def _reason(error: BaseException) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]


def _location(path: Path, error: BaseException) -> Location:
    mark = getattr(error, "problem_mark", None)
    return Location(path, mark.line + 1, mark.column + 1) if mark else Location(path)
