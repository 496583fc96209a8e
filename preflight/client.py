"""Which files `openstack overcloud deploy` reads, and in which order: what tripleoclient makes of its options.

It loads every `*.yaml` directly in each --environment-directory in sorted order (no hidden file, no .yml, no deeper
directory), and after them every -e file in the order given. Later files win: mappings are merged key by key, lists and
values are replaced. Source: tripleoclient.utils.load_environment_directories and v1/overcloud_deploy.py.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from preflight.file_set import FileSet
from preflight.shell_source import Command
from preflight.yaml_source import Node

TEMPLATES = "openstack-tripleo-heat-templates"
YAML_NAME = re.compile(r"\.ya?ml\Z", re.I)


@dataclass(frozen=True)
class DeployCommand:
    """One `openstack overcloud deploy` and the files among ours that it reads."""

    command: Command
    files: FileSet

    @property
    def directories(self) -> list[str]:
        """Values of --environment-directory, as written."""
        return self.command.options("--environment-directory")

    @property
    def environment_files(self) -> list[str]:
        """Values of -e, as written."""
        return self.command.options("-e", "--environment-file")

    @cached_property
    def local_directories(self) -> list[Path]:
        """Those of the directories that are among our files."""
        here = self.command.location.path
        return [found for name in self.directories if (found := match(name, self.files.folders, here))]

    @cached_property
    def read_paths(self) -> list[Path]:
        """Our files that the command reads as environments, in its order."""
        found: list[Path] = []
        for folder in self.local_directories:
            found.extend(sorted(path for path in self.files.texts if path.parent == folder and _is_taken(path.name)))
        for name in self.environment_files:
            if TEMPLATES not in name and (path := match(name, self.files.texts, self.command.location.path)):
                found.append(path)
        return found

    @property
    def environments(self) -> list[Node]:
        """The environments in the order in which they are merged; a file given twice counts where it is given last."""
        by_path = {node.path: node for node in self.files.environments}
        last = dict.fromkeys(reversed(self.read_paths))
        return [by_path[path] for path in reversed(list(last)) if path in by_path]


def deploy_commands(files: FileSet) -> list[DeployCommand]:
    """Every overcloud deploy in the scripts."""
    return [
        DeployCommand(command, files)
        for command in files.commands
        if command.runs("openstack", "overcloud", "deploy") and "--templates" in command.text
    ]


def match(name: str, candidates: Iterable[Path], named_in: Path) -> Path | None:
    """Our file or directory that a path on the undercloud means: the one with the longest common end.

    Of several such the one nearest to the file that names it, then the first by name.
    """
    wanted = [part for part in Path(name.rstrip("/")).parts if part not in ("/", "~", ".", "$HOME")]
    if not wanted:
        return None
    named = [candidate for candidate in candidates if candidate.name == wanted[-1]]
    return min(
        named,
        key=lambda path: (
            -_common(reversed(path.parts), reversed(wanted)),
            -shared_directories(path, named_in),
            path,
        ),
        default=None,
    )


def shared_directories(one: Path, other: Path) -> int:
    """How many directories two paths have in common, from the root on."""
    return _common(one.absolute().parts, other.absolute().parts)


def _common(ours: Iterable[str], theirs: Iterable[str]) -> int:
    pairs = zip(ours, theirs, strict=False)
    return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _is_taken(name: str) -> bool:
    """Whether glob's `*.yaml` finds it."""
    return name.endswith(".yaml") and not name.startswith(".")


def left_out_because(name: str) -> str | None:
    """Why --environment-directory passes over a file of this name; None if it does not."""
    if name.startswith(".") and YAML_NAME.search(name):
        return "files whose names begin with a dot are not found"
    if YAML_NAME.search(name) and not name.endswith(".yaml"):
        return "it takes only files that end in .yaml"
    return None
