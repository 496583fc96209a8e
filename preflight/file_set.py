"""All the files of a deployment, read once and sorted by what they are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from preflight import boot_files, here_documents, kinds, local_conf, nova_conf
from preflight.finding import Location
from preflight.nova_conf import Option, Scope
from preflight.placed import PlacedText
from preflight.release_of import KnownRelease
from preflight.shell_source import SHEBANG, Command, Script
from preflight.variables import misspelt_variables
from preflight.yaml_settings import settings_of
from preflight.yaml_source import Node, YamlError, compose_all

MAX_FILE_BYTES = 2_000_000
SKIPPED_DIRECTORIES = {".git", ".venv", "node_modules", "__pycache__", ".tox"}
YAML_SUFFIXES = {".yaml", ".yml"}
READ_SUFFIXES = YAML_SUFFIXES | {".sh", ".rc"}
PROMPTED = re.compile(r"\s*(?:[$#]\s+|\S*@\S*[$#]\s+|\([\w-]+\)\s*(?:[$#]\s+)?)?(?P<command>openstack\s.*)")
SCRIPT_NAME = re.compile(r"\.sh(?:\.j2|\.tpl)?\Z")
INI_SUFFIXES = (".conf", ".ini", ".cfg", ".conf.in")
JINJA = re.compile(r"\{\{|\{%")
PLACES = {"nova", "nova.conf.d", "etc", "config", "conf.d", "templates", "files"}
"""Directories that hold nova.conf on every host."""
OF_INTEREST = re.compile(
    r"^[ \t]*(?:-\s+)?[\"']?(?:parameter_defaults|resource_registry|parameters|parameter_merge_strategies|gpus"
    r"|heat_template_version|ServicesDefault|kind|\w*nova\w*|pci\S*|openstack_release|kolla_\w+|gpu_group_map"
    r"|stackhpc_gpu_data|charm|scheduler-default-filters)[\"']?\s*:|\[pci\]|\[filter_scheduler\]|nova\S*\.conf|10de",
    re.M | re.I,
)
"""YAML without any of these words is of no kind that is read, and need not be parsed."""
OURS = re.compile(r"^(?:parameter_defaults|resource_registry|heat_template_version)\b", re.M)
NODE_LIST = re.compile(r'"(?:nodes|pm_addr|pm_type)"')
NOVA_CONF = re.compile(
    r"^\[(?:pci|filter_scheduler|libvirt)\]|^(?:pci_|scheduler_default_filters|enabled_filters)", re.M | re.I
)
KEY = re.compile(r"^[ \t]*(?P<key>-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)[ \t]*\r?$", re.M)
KEY_FILE = re.compile(r"(?:Bag Attributes\b[^-]*|Key Attributes\b[^-]*|\s*)-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
RC_FILE = re.compile(r"^[ \t]*export\s+OS_[A-Z_]+=", re.M)


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
    manuals: list[Script] = field(default_factory=list)
    """Commands of README files, each at its line; the rest of the page is blank."""
    rc_files: list[Path] = field(default_factory=list)
    cloud_files: list[Node] = field(default_factory=list)
    nova_conf: list[Path] = field(default_factory=list)
    documents: list[Node] = field(default_factory=list)
    """YAML of the deployers that have no list of their own."""
    kernel_arguments: list[Node] = field(default_factory=list)
    """Of hosts of whichever role, outside TripleO."""
    settings: list[Option] = field(default_factory=list)
    """Options of nova.conf, whichever file sets them."""
    misspelt: list[tuple[Node, str]] = field(default_factory=list)
    """Keys that are spelled almost like a deployer's variable, with that one's name."""
    kinds: dict[Path, str] = field(default_factory=dict)
    """What each file was understood as."""
    unjudged: dict[Path, str] = field(default_factory=dict)
    """Files that hold GPU settings and are not judged, and why."""
    node_lists: list[Path] = field(default_factory=list)
    """instackenv.json and its like."""
    key_files: list[Path] = field(default_factory=list)
    keys: list[Location] = field(default_factory=list)
    """Where private keys stand: in files of their own, and as values of other files."""
    unreadable: list[Unreadable] = field(default_factory=list)
    texts: dict[Path, str] = field(default_factory=dict)
    deployments: list[tuple[Path, FileSet]] = field(default_factory=list)
    """Deployments that stand side by side below the roots, each with its directory; empty if it is one."""

    @cached_property
    def folders(self) -> frozenset[Path]:
        """Every directory that holds one of the files, at any depth, from what was given to read on down.

        What lies above that is this machine's: a home that is called as the deploy calls a folder is not meant.
        """
        direct = {path.parent for path in self.texts}
        tops = [root if root.is_dir() else root.parent for root in self.roots]
        above = {parent for folder in direct for parent in folder.parents}
        return frozenset(direct | {folder for folder in above if any(folder.is_relative_to(top) for top in tops)})

    @cached_property
    def get_file_targets(self) -> list[tuple[Path, Node]]:
        """Files that templates take in with get_file, relative to the template, and where they name them."""
        return [
            (template.path.parent / node.text, node)
            for template in self.templates
            if "get_file" in self.texts[template.path]
            for node in _get_files(template)
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


def read(roots: list[Path], exclude: Sequence[str] = ()) -> FileSet:
    """Read every file below `roots` (or the files named) but those whose path below its root matches `exclude`."""
    files = FileSet(tuple(roots))
    for path in sorted(_paths(roots, files.unreadable)):
        if not any(fnmatch(_below(roots, path), pattern) for pattern in exclude):
            _add(files, path)
    named = {path.resolve() for path, _ in files.get_file_targets}
    files.scripts = [
        replace(script, in_template=True) if not script.in_template and script.path.resolve() in named else script
        for script in files.scripts
    ]
    return files


def _below(roots: list[Path], path: Path) -> str:
    found = (path.relative_to(root) for root in roots if path != root and path.is_relative_to(root))
    return next(found, path).as_posix()


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
    if "PRIVATE KEY-----" in text and suffix not in kinds.PROSE_AND_PROGRAMS:
        files.keys.extend(_keys(path, text))
    if KEY_FILE.match(text):
        files.key_files.append(path)
        files.kinds[path] = kinds.KEY
    elif suffix in YAML_SUFFIXES and ".j2" not in path.suffixes:
        _add_yaml(files, path, text)
    elif suffix == ".json":
        _add_json(files, path, text)
    elif SCRIPT_NAME.search(path.name) or SHEBANG.match(text):
        # as the shell and git count lines; splitlines would end them at form feeds, too
        _add_script(files, Script(path, tuple(line.removesuffix("\r") for line in text.split("\n"))))
        files.kinds[path] = kinds.SCRIPT
    elif suffix in (".md", ".rst"):
        files.manuals.append(Script(path, tuple(_commands_of_page(text))))
    elif suffix not in kinds.PROSE_AND_PROGRAMS:
        _add_other(files, path, text)
    if path not in files.kinds and kinds.holds_gpu_settings(path, text):
        why = "a template" if JINJA.search(text) else "of no kind that is read"
        files.unjudged.setdefault(path, why)


def _commands_of_page(text: str) -> Iterator[str]:
    """The page's lines, all but its commands blank: lines of examples, with a prompt or without, and what continues."""
    goes_on, fenced = False, False
    for line in text.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        found = PROMPTED.match(line) if fenced or line[:1] in ("$", " ", "\t") else None
        keep = goes_on or found is not None
        shown = found["command"] if found is not None and not goes_on else line
        goes_on = keep and line.rstrip().endswith("\\")
        yield shown if keep else ""


def _add_other(files: FileSet, path: Path, text: str) -> None:
    if local_conf.is_local_conf(path, text):
        files.settings.extend(local_conf.settings_of(path, text))
        files.kinds[path] = kinds.LOCAL_CONF
    elif found := boot_files.of_grub(path, text):
        files.kernel_arguments.extend(found)
        files.kinds[path] = kinds.BOOT
    elif is_nova_conf(path, text):
        files.nova_conf.append(path)
        files.settings.extend(nova_conf.of_text(PlacedText(text, path), scope_of_file(files.roots, path)))
        files.kinds[path] = kinds.NOVA_CONF
    elif RC_FILE.search(text):
        files.rc_files.append(path)
        files.kinds[path] = kinds.RC


def is_nova_conf(path: Path, text: str) -> bool:
    """Whether it is a nova.conf, or a part or a template of one: by its name, or by the sections it has."""
    name = path.name.removesuffix(".j2").removesuffix(".tpl").lower()
    if not name.endswith(INI_SUFFIXES):
        return False
    is_named_so = name == "nova.conf" and "=" in text
    return is_named_so or bool(NOVA_CONF.search(text)) or ("nova" in name and "[" in text)


def scope_of_file(roots: Sequence[Path], path: Path) -> Scope:
    """Whose nova.conf a file is: kolla's nova/nova-compute.conf and nova/HOST/nova.conf, compute-0/nova.conf."""
    below = [path.relative_to(root).parts for root in roots if root.is_dir() and path.is_relative_to(root)]
    parts = min(below, key=len) if below else path.parts[-2:]
    dialect = "kayobe" if "kayobe" in path.parts else "kolla" if "kolla" in path.parts else "nova"
    services = next((named for part in reversed(parts) if (named := nova_conf.services_named(part))), None)
    if services is None and dialect != "nova" and parts[-3:-2] == ("nova",):
        return Scope(nova_conf.COMPUTE, parts[-2], dialect)  # nova/HOST/nova.conf
    where = parts[-2] if len(parts) > 1 and parts[-2] not in PLACES else None
    return Scope(services or nova_conf.ALL_SERVICES, where, dialect)


def _add_script(files: FileSet, script: Script) -> None:
    files.scripts.append(script)
    files.settings.extend(here_documents.settings_of(script))
    for command in script.commands():
        files.settings.extend(nova_conf.of_command(command))


def _keys(path: Path, text: str) -> Iterator[Location]:
    for found in KEY.finditer(text):
        start = found.start("key")
        yield Location(path, text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))


def _text(files: FileSet, path: Path) -> str | None:
    """What a file of a kind that we read says; what cannot be read becomes a finding."""
    is_ours = path.suffix.lower() in READ_SUFFIXES or path in files.roots
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
    files.kinds[path] = kinds.NODES


def _add_yaml(files: FileSet, path: Path, text: str) -> None:
    if not OF_INTEREST.search(text):
        return
    try:
        documents = compose_all(path, text)
    except YamlError as error:
        is_template = bool(JINJA.search(text))
        is_meant = OURS.search(text) or path.parent.name == "environments" or path in files.roots
        if not is_template and (is_meant or kinds.holds_gpu_settings(path, text)):
            files.unreadable.append(Unreadable(error.location, str(error)))
        return
    source = text.split("\n")
    for root in documents:
        kind = kinds.of_document(root, ())
        settings: list[Option] = []
        if kind not in kinds.OF_HEAT:  # those have parameters and hiera
            settings, misspelt = settings_of(root, source), misspelt_variables(root)
            files.misspelt.extend(misspelt)
            kind = kinds.of_document(root, settings) or (kinds.VARIABLES if misspelt else None)
        if kind is not None:
            files.kinds[path] = kind
            _add_document(files, root, kind, text, settings)


def _add_document(files: FileSet, root: Node, kind: str, text: str, settings: list[Option]) -> None:
    lists = {
        kinds.TEMPLATE: files.templates,
        kinds.CLOUD: files.cloud_files,
        kinds.ENVIRONMENT: files.environments,
        kinds.ROLES: files.roles,
    }
    lists.get(kind, files.documents).append(root)
    if "edpm_kernel_args" in text:
        files.kernel_arguments.extend(boot_files.of_document(root))
    files.settings.extend(settings)
    if kind in (kinds.TEMPLATE, kinds.ENVIRONMENT):
        for script in _embedded_scripts(root, text):
            _add_script(files, script)


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
