"""Which release are the files for, and how do we know?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from preflight.releases import RELEASES, called

STATEMENTS = (
    re.compile(r"^\s*openstack_release\s*[:=]\s*(?P<name>\S+)", re.M),  # kolla-ansible, kayobe
    re.compile(r"(?:^|[{,])\s*(?:openstack-origin|source)\s*:\s*[\"']?cloud:(?P<name>\S+)", re.M),  # charms
    re.compile(
        r"(?:^|[{,])\s*channel\s*:\s*[\"']?(?P<name>[\w.]+)/(?:stable|candidate|beta|edge)", re.M
    ),  # charms, Sunbeam
    re.compile(r"^\s*defaultbranch\s*=\s*(?:stable|unmaintained)/(?P<name>\S+)", re.M),  # .gitreview
    re.compile(r"^\s*NOVA_BRANCH\s*=\s*[\"']?(?:stable|unmaintained)/(?P<name>\S+)", re.M),  # DevStack
)
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


def release_of(given: str | None, roots: Sequence[Path], texts: Mapping[Path, str]) -> KnownRelease:
    """What was given, else what the files say, else what a directory is called."""
    if given is not None:
        return KnownRelease(given if given in RELEASES else None, "as given")
    said = dict(_said(texts))
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


def _said(texts: Mapping[Path, str]) -> Iterator[tuple[str, Path]]:
    for path, text in texts.items():
        for pattern in STATEMENTS:
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
