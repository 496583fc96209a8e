"""All the files of a deployment, read once and sorted by what they are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from preflight.finding import Location
from preflight.release_of import KnownRelease
from preflight.shell_source import SHEBANG, Command, Script
from preflight.yaml_source import Node, YamlError, compose

MAX_FILE_BYTES = 2_000_000
SKIPPED_DIRECTORIES = {".git", ".venv", "node_modules", "__pycache__", ".tox"}
YAML_SUFFIXES = {".yaml", ".yml"}
READ_SUFFIXES = YAML_SUFFIXES | {".sh", ".rc"}
OURS = re.compile(r"^(?:parameter_defaults|resource_registry|heat_template_version)\b", re.M)
NODE_LIST = re.compile(r'"(?:nodes|pm_addr|pm_type)"')
NOVA_CONF = re.compile(
    r"^\[(?:pci|filter_scheduler|libvirt)\]|^(?:pci_|scheduler_default_filters|enabled_filters)", re.M
)
PROSE_AND_PROGRAMS = {".md", ".rst", ".adoc", ".txt", ".html", ".py", ".go", ".js", ".rb", ".json", ".xml", ".patch"}
"""They speak of keys and passwords; what they need is not in them."""
KEY = re.compile(r"^[ \t]*(?P<key>-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)[ \t]*\r?$", re.M)
KEY_FILE = re.compile(r"(?:Bag Attributes\b[^-]*|Key Attributes\b[^-]*|\s*)-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
RC_FILE = re.compile(r"^\s*export\s+OS_[A-Z_]+=", re.M)
ENVIRONMENT_KEYS = {
    "parameter_defaults",
    "resource_registry",
    "parameters",
    "parameter_merge_strategies",
}


NOT_ASKED = KnownRelease(None, "not asked for")


@dataclass(frozen=True)
class Unreadable:
    """A file that should be read and cannot be."""

    location: Location
    reason: str


@dataclass
class FileSet:
    """The deployment's files by kind. Paths are as found below `roots`."""

    roots: tuple[Path, ...]
    release: KnownRelease = NOT_ASKED
    environments: list[Node] = field(default_factory=list)
    templates: list[Node] = field(default_factory=list)
    roles: list[Node] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    rc_files: list[Path] = field(default_factory=list)
    cloud_files: list[Node] = field(default_factory=list)
    nova_conf: list[Path] = field(default_factory=list)
    node_lists: list[Path] = field(default_factory=list)
    """instackenv.json and its like."""
    key_files: list[Path] = field(default_factory=list)
    keys: list[Location] = field(default_factory=list)
    """Where private keys stand: in files of their own, and as values of other files."""
    unreadable: list[Unreadable] = field(default_factory=list)
    texts: dict[Path, str] = field(default_factory=dict)

    @cached_property
    def folders(self) -> frozenset[Path]:
        """Every directory that holds one of the files, at any depth."""
        direct = {path.parent for path in self.texts}
        return frozenset(direct | {parent for folder in direct for parent in folder.parents})

    def get_file_targets(self) -> list[tuple[Path, Node]]:
        """Files that templates take in with get_file, relative to the template, and where they name them."""
        return [
            (template.path.parent / node.text, node) for template in self.templates for node in _get_files(template)
        ]

    @property
    def commands(self) -> Iterator[Command]:
        """Commands of every script, in the files' order."""
        for script in self.scripts:
            yield from script.commands()

    @property
    def embedded_scripts(self) -> list[Script]:
        """Scripts that stand in Heat templates."""
        return [script for script in self.scripts if script.in_template]


def _get_files(template: Node) -> Iterator[Node]:
    for node in template.walk():
        for key, value in node.items():
            if key.text == "get_file" and value.is_scalar and "://" not in value.text:
                yield value


def read(roots: list[Path]) -> FileSet:
    """Read every file below `roots` (or the files named)."""
    files = FileSet(tuple(roots))
    for path in sorted(_paths(roots, files.unreadable)):
        _add(files, path)
    named = {path.resolve() for path, _ in files.get_file_targets()}
    files.scripts = [
        replace(script, in_template=True) if not script.in_template and script.path.resolve() in named else script
        for script in files.scripts
    ]
    return files


def _paths(roots: list[Path], unreadable: list[Unreadable]) -> Iterator[Path]:
    for root in roots:
        if not root.is_dir():
            yield root
            continue

        def refused(error: OSError) -> None:
            unreadable.append(Unreadable(Location(Path(str(error.filename))), error.strerror or str(error)))

        # does not follow links to directories, so a loop of them ends
        for folder, folders, names in os.walk(root, onerror=refused):
            folders[:] = [name for name in folders if name not in SKIPPED_DIRECTORIES]
            yield from (path for name in names if (path := Path(folder, name)).is_file())


def _add(files: FileSet, path: Path) -> None:
    text = _text(files, path)
    if text is None:
        return
    files.texts[path] = text
    suffix = path.suffix.lower()
    if "PRIVATE KEY-----" in text and suffix not in PROSE_AND_PROGRAMS:
        files.keys.extend(_keys(path, text))
    if KEY_FILE.match(text):
        files.key_files.append(path)
    elif suffix in YAML_SUFFIXES:
        _add_yaml(files, path, text)
    elif path.suffix == ".json":
        _add_json(files, path, text)
    elif path.suffix == ".conf" and NOVA_CONF.search(text):
        files.nova_conf.append(path)
    elif path.suffix == ".sh" or SHEBANG.match(text):
        # as the shell and git count lines; splitlines would end them at form feeds, too
        files.scripts.append(Script(path, tuple(line.removesuffix("\r") for line in text.split("\n"))))
    elif suffix not in PROSE_AND_PROGRAMS and RC_FILE.search(text):
        files.rc_files.append(path)


def _keys(path: Path, text: str) -> Iterator[Location]:
    for found in KEY.finditer(text):
        start = found.start("key")
        yield Location(path, text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))


def _text(files: FileSet, path: Path) -> str | None:
    """What a file of a kind that we read says; what cannot be read becomes a finding."""
    is_ours = path.suffix.lower() in READ_SUFFIXES
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            if is_ours:
                files.unreadable.append(
                    Unreadable(Location(path), f"larger than {MAX_FILE_BYTES // 1_000_000} MB, not read")
                )
            return None
        data = path.read_bytes()
        if b"\0" in data[:4096] and not is_ours:
            return None
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if is_ours:
            reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)
            files.unreadable.append(Unreadable(Location(path), reason))
        return None


def _add_json(files: FileSet, path: Path, text: str) -> None:
    if not NODE_LIST.search(text):
        return
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        files.unreadable.append(Unreadable(Location(path, line, getattr(error, "colno", 1)), str(error)))
        return
    files.node_lists.append(path)


def is_jinja(path: Path, text: str) -> bool:
    """Whether the file becomes YAML or shell only when a deploy renders it."""
    return ".j2" in path.suffixes or path.suffix == ".j2" or "{%" in text


def _add_yaml(files: FileSet, path: Path, text: str) -> None:
    if is_jinja(path, text):
        return
    try:
        root = compose(path, text)
    except YamlError as error:
        if OURS.search(text) or path.parent.name == "environments":
            files.unreadable.append(Unreadable(error.location, str(error)))
        return
    if root is None:
        return
    keys = {key.text for key, _ in root.items()}
    if "heat_template_version" in keys:
        files.templates.append(root)
        files.scripts.extend(_embedded_scripts(root, text))
    elif {"kind", "hosts", "gpus"} <= keys:
        files.cloud_files.append(root)
    elif keys & ENVIRONMENT_KEYS and "paths" not in keys:  # an OpenAPI file has `parameters`, too
        files.environments.append(root)
        files.scripts.extend(_embedded_scripts(root, text))
    elif root.is_list and any(element.get("name") and element.get("ServicesDefault") for element in root.elements()):
        files.roles.append(root)


def _embedded_scripts(root: Node, text: str) -> Iterator[Script]:
    lines = text.splitlines()
    for node in root.walk():
        if not node.is_scalar or not SHEBANG.match(node.text):
            continue
        if not node.is_block_text:  # in quotes, with escapes: its lines are not the file's
            yield Script(root.path, tuple(node.text.splitlines()), node.location.line, in_template=True, is_quoted=True)
            continue
        first = node.location.line  # the block starts on the line after `|`
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
