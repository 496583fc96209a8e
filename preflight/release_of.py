"""Which release are the files for, and how do we know?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from preflight.kinds import PROSE_AND_PROGRAMS
from preflight.releases import RELEASES, called

STATEMENTS = {
    # kolla-ansible, kayobe
    "openstack_release": re.compile(r"^[ \t]*openstack_release\s*[:=]\s*(?P<name>\S+)", re.M),
    # charms
    "cloud:": re.compile(r"(?:^|[{,])[ \t]*(?:openstack-origin|source)\s*:\s*[\"']?cloud:(?P<name>\S+)", re.M),
    # charms, Sunbeam
    "channel": re.compile(r"(?:^|[{,])[ \t]*channel\s*:\s*[\"']?(?P<name>[\w.]+)/(?:stable|candidate|beta|edge)", re.M),
    # .gitreview
    "defaultbranch": re.compile(r"^[ \t]*defaultbranch\s*=\s*(?:stable|unmaintained)/(?P<name>\S+)", re.M),
    # DevStack
    "NOVA_BRANCH": re.compile(r"^[ \t]*NOVA_BRANCH\s*=\s*[\"']?(?:stable|unmaintained)/(?P<name>\S+)", re.M),
}
"""By a word of theirs: to look for a word is far cheaper than to search for a pattern."""
RHOSO = re.compile(r"^kind:\s*OpenStack(?:ControlPlane|DataPlaneNodeSet)\s*$", re.M)
MOST_PLACES = 3
RELEASE_OF_RHOSO = "2023.1"
"""Red Hat OpenStack Services on OpenShift 18 is Antelope, with parts of later releases."""


@dataclass(frozen=True)
class KnownRelease:
    """A release, and what says so."""

    name: str | None
    source: str
    """In words, e.g. "--release"; why not, where the name is None."""


def release_of(given: str | None, roots: Sequence[Path], statements: Iterable[tuple[str, Path]]) -> KnownRelease:
    """What was given, else what the files say (the release and the file of each), else what a directory is called."""
    if given is not None:
        return KnownRelease(given if given in RELEASES else None, "as given")
    said = dict(statements)
    if len(said) == 1:
        name, path = said.popitem()
        return KnownRelease(name, f"{path.name} says so")
    if said:
        shown = list(said.items())[:MOST_PLACES]
        places = ", ".join(f"{path.name} says {name}" for name, path in shown)
        return KnownRelease(None, f"not known: {places}")
    for root in roots:
        for part in _own_directories(root):
            if name_of_part := called(part):
                return KnownRelease(name_of_part, f"guessed from the name of the directory {part}")
    return KnownRelease(None, "not known: --release tells it")


def statements_of(texts: Mapping[Path, str]) -> Iterator[tuple[str, Path]]:
    """Each statement of a release in the files that a deployer reads: the release, and where it stands."""
    for path, text in texts.items():
        if path.suffix.lower() in PROSE_AND_PROGRAMS:
            continue
        for pattern in [pattern for word, pattern in STATEMENTS.items() if word in text]:
            for found in pattern.finditer(text):
                if name := called(found["name"]):
                    yield name, path
        if path.suffix in (".yaml", ".yml") and RHOSO.search(text):
            yield RELEASE_OF_RHOSO, path


def _own_directories(root: Path) -> Iterator[str]:
    """The directory's own name, and those above it up to the top of its git work tree."""
    folder = root.resolve() if root.is_dir() else root.resolve().parent
    above = [folder, *folder.parents]
    tops = [parent for parent in above if (parent / ".git").exists()]
    yield from (parent.name for parent in (above[: above.index(tops[0]) + 1] if tops else above[:1]))
