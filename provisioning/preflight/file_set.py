"""All the files of a deployment, read once and sorted by what they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from provisioning.preflight.finding import Place
from provisioning.preflight.shell_source import SHEBANG, Command, Script
from provisioning.preflight.yaml_source import Node, YamlError, compose

MAX_FILE_BYTES = 2_000_000
SKIPPED_DIRECTORIES = {".git", ".venv", "node_modules", "__pycache__", ".tox"}
YAML_SUFFIXES = {".yaml", ".yml"}
RC_FILE = re.compile(r"^\s*export\s+OS_[A-Z_]+=", re.M)
ENVIRONMENT_KEYS = {
    "parameter_defaults",
    "resource_registry",
    "parameters",
    "encrypted_param_names",
    "event_sinks",
    "parameter_merge_strategies",
}


@dataclass(frozen=True)
class Unreadable:
    """A file that should be read and cannot be."""

    place: Place
    reason: str


@dataclass
class FileSet:
    """The deployment's files by kind. Paths are as found below `roots`."""

    roots: tuple[Path, ...]
    environments: list[Node] = field(default_factory=list)
    templates: list[Node] = field(default_factory=list)
    roles: list[Node] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    rc_files: list[Path] = field(default_factory=list)
    key_files: list[Path] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    texts: dict[Path, str] = field(default_factory=dict)

    @property
    def commands(self) -> Iterator[Command]:
        """Commands of every script, in the files' order."""
        for script in self.scripts:
            yield from script.commands()

    @property
    def embedded_scripts(self) -> list[Script]:
        """Scripts that stand in Heat templates."""
        return [script for script in self.scripts if script.in_template]

    def parameter_defaults(self) -> Iterator[tuple[Node, Node]]:
        """Every parameter that an environment file sets: name and value."""
        for environment in self.environments:
            for section in ("parameter_defaults", "parameters"):
                block = environment.get(section)
                if block:
                    yield from block.items()

    def resource_registry(self) -> Iterator[tuple[Node, Node]]:
        """Every mapping of a resource type to a template."""
        for environment in self.environments:
            block = environment.get("resource_registry")
            if block:
                yield from block.items()


def read(roots: list[Path]) -> FileSet:
    """Read every file below `roots` (or the files named)."""
    files = FileSet(tuple(roots))
    for path in sorted(_paths(roots)):
        _add(files, path)
    return files


def _paths(roots: list[Path]) -> Iterator[Path]:
    for root in roots:
        if root.is_file():
            yield root
            continue
        for path in root.rglob("*"):
            if path.is_file() and not SKIPPED_DIRECTORIES.intersection(path.relative_to(root).parts):
                yield path


def _add(files: FileSet, path: Path) -> None:
    if path.stat().st_size > MAX_FILE_BYTES:
        return
    text = _text(path)
    if text is None:
        return
    files.texts[path] = text
    if "PRIVATE KEY-----" in text[:4000]:
        files.key_files.append(path)
    elif path.suffix in YAML_SUFFIXES:
        _add_yaml(files, path, text)
    elif path.suffix == ".json":
        _add_json(files, path, text)
    elif path.suffix == ".sh" or SHEBANG.match(text):
        files.scripts.append(Script(path, tuple(text.splitlines())))
    elif RC_FILE.search(text):
        files.rc_files.append(path)


def _text(path: Path) -> str | None:
    data = path.read_bytes()
    if b"\0" in data[:4096]:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _add_json(files: FileSet, path: Path, text: str) -> None:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        files.unreadable.append(Unreadable(Place(path, line, getattr(error, "colno", 1)), str(error)))


def _add_yaml(files: FileSet, path: Path, text: str) -> None:
    if "{{" in text and "{%" in text:  # a jinja template, made to YAML by the deploy
        return
    try:
        root = compose(path, text)
    except YamlError as error:
        files.unreadable.append(Unreadable(error.place, str(error)))
        return
    if root is None:
        return
    keys = {key.text for key, _ in root.items()}
    if "heat_template_version" in keys:
        files.templates.append(root)
        files.scripts.extend(_embedded_scripts(root, text))
    elif keys & ENVIRONMENT_KEYS:
        files.environments.append(root)
    elif root.is_list and any(element.get("name") for element in root.elements()):
        files.roles.append(root)


def _embedded_scripts(root: Node, text: str) -> Iterator[Script]:
    lines = text.splitlines()
    for node in root.walk():
        if not node.is_block_text or not SHEBANG.match(node.text):
            continue
        first = node.place.line  # the block starts on the line after `|`
        count = len(node.text.rstrip("\n").splitlines())
        source = lines[first : first + count]
        indent = len(source[0]) - len(source[0].lstrip()) if source else 0
        yield Script(
            root.path,
            tuple(line[indent:] for line in source),
            first_line=first + 1,
            indent=indent,
            in_template=True,
        )
