"""Several deployments below one directory, e.g. production and staging: which files belong together?

Each deployment has some files exactly once. Where two directories that stand side by side have the same one, they are
two deployments; what lies outside both is of both.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from preflight import kinds
from preflight.file_set import FileSet

ONE_EACH = {kinds.GLOBALS, kinds.OF_DIALECT["juju"], kinds.OF_DIALECT["sunbeam"]}
"""Kinds of which a deployment has one file of a name."""
NAMED_ONCE = re.compile(r"user_variables\.ya?ml")
DEPLOYS = re.compile(r"^[^#\n]*\bopenstack\b[^#\n]*\bovercloud\s+deploy\b", re.M)
OVERLAYS = {"clusters", "environments", "inventories", "overlays", "regions", "sites"}
"""Directories whose subdirectories change what stands beside them: those are the deployments, not this one."""


MOST = 16
"""So many deployments are told apart at most: each is judged with all that it shares."""


def deployments(files: FileSet) -> list[tuple[Path, FileSet]]:
    """Each deployment's own directory with its files and those that it shares; empty if there is one, or no telling."""
    with_settings = {option.location.path for option in files.settings}
    anchors = {path: name for path in files.texts if (name := _anchor(files, path, with_settings))}
    apart = _apart(anchors)
    if len(apart) > MOST:  # a collection of examples, say
        return []
    owners = cache(lambda folder: frozenset(apart).intersection((folder, *folder.parents)))
    kept = [item.name for item in fields(files) if item.name not in ("roots", "release", "deployments")]
    owned = {name: _with_owners(getattr(files, name), owners) for name in kept}
    return [(own, replace(files, **{name: _part(owned[name], own) for name in kept})) for own in apart]


def _with_owners(items: Any, owners: Callable[[Path], frozenset[Path]]) -> Any:
    """The items of a list or dict of the file set, each with the deployments whose directories it stands in."""
    if isinstance(items, dict):
        return {path: (value, owners(path.parent)) for path, value in items.items()}
    return [(item, owners(_path_of(item).parent)) for item in items]


def _part(items: Any, own: Path) -> Any:
    """What of them stands in no other deployment's directory."""
    if isinstance(items, dict):
        return {path: value for path, (value, owners) in items.items() if owners <= {own}}
    return [item for item, owners in items if owners <= {own}]


def _anchor(files: FileSet, path: Path, with_settings: Container[Path]) -> str | None:
    """What this file is that a deployment has once; None if it is nothing of the sort."""
    kind = files.kinds.get(path)
    if kind in ONE_EACH or NAMED_ONCE.fullmatch(path.name):
        return path.name
    if kind == kinds.SCRIPT and "overcloud" in files.texts[path] and DEPLOYS.search(files.texts[path]):
        return path.name
    overlay = next((index for index, part in enumerate(path.parts[:-2]) if part in OVERLAYS), None)
    return None if overlay is None or path not in with_settings else "/".join(path.parts[overlay + 2 :])


def _apart(anchors: Mapping[Path, str]) -> list[Path]:
    """Directories that are deployments of their own."""
    of_folder: dict[Path, set[str]] = defaultdict(set)
    for path, name in anchors.items():
        for folder in path.parents:
            of_folder[folder].add(name)
    below: dict[Path, list[Path]] = defaultdict(list)
    for folder in sorted(of_folder):
        below[folder.parent].append(folder)
    tops = [folder for folder in of_folder if folder == folder.parent]
    return [found for top in tops for found in _below(top, below, of_folder)]


def _below(start: Path, below: Mapping[Path, list[Path]], of_folder: Mapping[Path, set[str]]) -> list[Path]:
    """Rivals below a directory, and in their place those within them, as long as they are not too many."""
    found = _rivals(start, below, of_folder)
    waiting = list(found)
    while waiting:
        outer = waiting.pop(0)
        inner = _rivals(outer, below, of_folder)
        if inner and len(found) - 1 + len(inner) <= MOST:
            found = [*(other for other in found if other != outer), *inner]
            waiting += inner
    return sorted(found)


def _rivals(start: Path, below: Mapping[Path, list[Path]], of_folder: Mapping[Path, set[str]]) -> list[Path]:
    """The outermost directories that stand side by side with the same file in each."""
    found: list[Path] = []
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        children = [child for child in below.get(folder, ()) if child != folder]
        overlays = [child for child in children if child.name in OVERLAYS and len(below.get(child, ())) > 1]
        names = Counter(name for child in children for name in of_folder[child])
        rivals = [child for child in children if any(names[name] > 1 for name in of_folder[child])]
        if overlays or not rivals:
            waiting += overlays or children
        else:
            found += rivals
    return found


def _path_of(item: Any) -> Path:
    """Where an item of a file set stands: paths, nodes, scripts, options, locations, and pairs that begin with one."""
    if isinstance(item, Path):
        return item
    if isinstance(item, tuple):
        return _path_of(item[0])
    path = getattr(item, "path", None)
    return path if isinstance(path, Path) else Path(item.location.path)
